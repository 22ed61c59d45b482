"""The outcome of a clearing, the same for every mechanism, and its published form.

Quantities are in Wh, prices in micro-currency per kWh, money in nano-currency. A field that a
mechanism does not use (such as flows in a single zone) is empty or 0, never absent.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Literal, cast

import msgspec

from chaincode.auctions.book import plain_integer

# house: auction imports, the digest of an answer is defined over canonical JSON
from identity.canonical import canonical_json, encode

Reason = Literal["PRICE", "PRIORITY", "ZONE_PAUSED"]


class Fill(msgspec.Struct, frozen=True, gc=False):
    """A step that traded, with the traded quantity and the price of the step's side."""

    order: str
    quantity: int
    price: int


class Trade(msgspec.Struct, frozen=True, gc=False):
    """A pair of a buying and a selling step; `path` is the zones from seller's to buyer's."""

    buy: str
    sell: str
    quantity: int
    buy_price: int
    sell_price: int
    path: list[str]


class Unfilled(msgspec.Struct, frozen=True, gc=False):
    """A step that did not trade in full: the quantity left, and the reason."""

    order: str
    quantity: int
    reason: Reason


class LossAccount(msgspec.Struct, frozen=True):
    """What an edge collected for losses, the energy lost (Wh), and what buying that energy cost."""

    collected: int
    energy: int
    spent: int


class Outcome(msgspec.Struct, frozen=True):
    """The result of a mechanism.

    `prices` and `price_range` have an entry for every zone, None where the zone has no price; the
    dicts from `flows` to `loss_account` have an entry for every zone with an edge. `fills` and
    `unfilled` are sorted by order id and step number. `trades` are in match sequence: by zone from
    the deepest level up, then by zone id, then in the order of pairing.
    """

    volume: int
    welfare: int
    prices: dict[str, int | None]
    price_range: dict[str, tuple[int, int] | None]
    flows: dict[str, int]
    congestion_rent: dict[str, int]
    edge_income: dict[str, int]
    loss_account: dict[str, LossAccount]
    area_income: int
    fills: list[Fill]
    trades: list[Trade]
    unfilled: list[Unfilled]

    @property
    def digest(self) -> str:
        """The SHA-256, in hex, of the canonical JSON of the published form without this digest."""
        return _digest(_members(self))


def outcome_json(outcome: Outcome) -> dict[str, object]:
    """The outcome as `commonwatt auction` prints it; integers beyond 2^53 - 1 as strings."""
    members = _members(outcome)
    return members | {"digest": _digest(members)}


def _digest(members: dict[str, object]) -> str:
    # Zone ids are keys. While they are ASCII the fast writer gives the same bytes, because larger
    # integers are strings already.
    ascii_keys = all(zone.isascii() for zone in cast("dict[str, object]", members["prices"]))
    return sha256((encode if ascii_keys else canonical_json)(members)).hexdigest()


def _members(outcome: Outcome) -> dict[str, object]:
    ranges = outcome.price_range.items()
    losses = outcome.loss_account.items()
    return {
        "volume": plain_integer(outcome.volume),
        "welfare": plain_integer(outcome.welfare),
        "prices": {
            zone: None if price is None else plain_integer(price)
            for zone, price in outcome.prices.items()
        },
        "price_range": {
            zone: None if ends is None else [plain_integer(end) for end in ends]
            for zone, ends in ranges
        },
        "flows": _plain_values(outcome.flows),
        "congestion_rent": _plain_values(outcome.congestion_rent),
        "edge_income": _plain_values(outcome.edge_income),
        "loss_account": {
            zone: {
                "collected": plain_integer(account.collected),
                "energy": plain_integer(account.energy),
                "spent": plain_integer(account.spent),
            }
            for zone, account in losses
        },
        "area_income": plain_integer(outcome.area_income),
        "fills": [
            {
                "order": fill.order,
                "quantity": plain_integer(fill.quantity),
                "price": plain_integer(fill.price),
            }
            for fill in outcome.fills
        ],
        "trades": [_trade(trade) for trade in outcome.trades],
        "unfilled": [
            {"order": left.order, "quantity": plain_integer(left.quantity), "reason": left.reason}
            for left in outcome.unfilled
        ],
    }


def _trade(trade: Trade) -> dict[str, object]:
    return {
        "buy": trade.buy,
        "sell": trade.sell,
        "quantity": plain_integer(trade.quantity),
        "buy_price": plain_integer(trade.buy_price),
        "sell_price": plain_integer(trade.sell_price),
        "path": trade.path,
    }


def _plain_values(amounts: dict[str, int]) -> dict[str, int | str]:
    return {zone: plain_integer(amount) for zone, amount in amounts.items()}
