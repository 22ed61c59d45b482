"""What households sign to take part: that they join a retailer, and that they hold a meter."""

from __future__ import annotations

from chaincode.area.intents import HOLD_TYP, JOIN_TYP, Hold, Join
from identity.canonical import encode
from identity.jws import sign_compact
from identity.keys import PrivateKey

VALID_S = 10 * 86_400  # of market time, which a demonstration may run at many times the real speed

Place = tuple[str, str, str]
"""The area, the channel and the contract for which a token is signed."""


def sign_join(key: PrivateKey, retailer: str, *, place: Place, now_s: int) -> str:
    """Sign the first join of a trader, valid for some days of market time from `now_s` on."""
    area, channel, contract = place
    join = Join(
        area=area,
        channel=channel,
        contract=contract,
        number=1,
        retailer=retailer,
        v=1,
        valid_until_s=now_s + VALID_S,
    )
    return sign_compact(key, JOIN_TYP, encode(join))


def sign_hold(key: PrivateKey, meter: str, *, place: Place, now_s: int) -> str:
    """Sign that a trader holds a meter."""
    area, channel, contract = place
    hold = Hold(
        area=area,
        channel=channel,
        contract=contract,
        meter=meter,
        v=1,
        valid_until_s=now_s + VALID_S,
    )
    return sign_compact(key, HOLD_TYP, encode(hold))
