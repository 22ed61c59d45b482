"""What the people of a scenario sign: sheets, amendments, cancels, supplies, acts, disputes."""

from __future__ import annotations

from collections.abc import Sequence

from chaincode.area.intents import HOLD_TYP, JOIN_TYP, PAYOUT_TYP, Hold, Join, Payout
from chaincode.consortium.acts import ACT_TYP, Act
from chaincode.metering.supply import SUPPLY_TYP, SupplyConsent
from chaincode.orders.sheets import (
    AMEND_TYP,
    CANCEL_TYP,
    SHEET_TYP,
    Amend,
    Cancel,
    Sheet,
    SheetOrder,
    Step,
)
from chaincode.settlement.disputes import DISPUTE_TYP, DisputeAct
from chaincode.state import Side
from identity.canonical import encode
from identity.jws import sign_compact
from tests.contract.stage.cast import (
    AREA,
    EAST,
    R1,
    SLOT,
    START_S,
    Rules,
    did_of,
    key_of,
)

VALID_UNTIL_S = START_S + 20 * 86_400  # of what has no gate, unless a scenario says otherwise


def order_of(
    name: str, side: Side, steps: list[Step], *, slot: int = SLOT, expires_s: int | None = None
) -> SheetOrder:
    """An order of a sheet."""
    return SheetOrder(id=name, side=side, slot=slot, steps=steps, expires_s=expires_s)


class Tokens:
    """Signs for one channel and contract; a name's key signs what the name says."""

    def __init__(self, channel: str, contract: str, rules: Rules | None = None) -> None:
        self.channel = channel
        self.contract = contract
        self._rules = (rules or Rules()).market

    def _until(self, valid_until_s: int | None, slot: int) -> int:
        """Until when a token is valid: the gate of its last slot where nothing else is said."""
        return self._rules.gate_s(slot) if valid_until_s is None else valid_until_s

    def sheet(
        self,
        name: str,
        orders: Sequence[SheetOrder],
        *,
        meter: str = "",
        zone: str = EAST,
        area: str = AREA,
        valid_until_s: int | None = None,
    ) -> str:
        """A sheet of `name`, at the meter of the same name where none is given."""
        last = max((order.slot for order in orders), default=SLOT)
        sheet = Sheet(
            area=area,
            channel=self.channel,
            contract=self.contract,
            meter=meter or name,
            orders=list(orders),
            v=1,
            valid_until_s=self._until(valid_until_s, last),
            zone=zone,
        )
        return sign_compact(key_of(name), SHEET_TYP, encode(sheet))

    def amend(
        self,
        name: str,
        order: str,
        revision: int,
        steps: list[Step],
        *,
        slot: int = SLOT,
        valid_until_s: int | None = None,
    ) -> str:
        """An amendment of an order to new steps."""
        amend = Amend(
            area=AREA,
            channel=self.channel,
            contract=self.contract,
            id=order,
            revision=revision,
            slot=slot,
            steps=steps,
            v=1,
            valid_until_s=self._until(valid_until_s, slot),
        )
        return sign_compact(key_of(name), AMEND_TYP, encode(amend))

    def cancel(
        self, name: str, order: str, *, slot: int = SLOT, valid_until_s: int | None = None
    ) -> str:
        """The withdrawal of an order."""
        cancel = Cancel(
            area=AREA,
            channel=self.channel,
            contract=self.contract,
            id=order,
            slot=slot,
            v=1,
            valid_until_s=self._until(valid_until_s, slot),
        )
        return sign_compact(key_of(name), CANCEL_TYP, encode(cancel))

    def supply(
        self,
        name: str,
        meter: str,
        retailer: str,
        *,
        from_slot: int = SLOT,
        offtaker: str | None = None,
        daily_import_wh: int = 0,
        area: str = AREA,
        valid_until_s: int | None = None,
    ) -> str:
        """The holder's agreement to a supplier of its meter."""
        consent = SupplyConsent(
            area=area,
            channel=self.channel,
            contract=self.contract,
            daily_import_wh=daily_import_wh,
            from_slot=from_slot,
            meter=meter,
            offtaker=offtaker,
            retailer=retailer,
            v=1,
            valid_until_s=from_slot if valid_until_s is None else valid_until_s,
        )
        return sign_compact(key_of(name), SUPPLY_TYP, encode(consent))

    def act(self, act: str, name: str, sequence: int, *, signer: str = "regulator") -> str:
        """The regulator's lock or unlock of a participant."""
        signed = Act(
            act="lock" if act == "lock" else "unlock",
            channel=self.channel,
            contract=self.contract,
            participant=did_of(name),
            reason="by order",
            sequence=sequence,
            v=1,
        )
        return sign_compact(key_of(signer), ACT_TYP, encode(signed))

    def join(
        self,
        name: str,
        retailer: str = R1,
        *,
        number: int = 1,
        valid_until_s: int = VALID_UNTIL_S,
    ) -> str:
        """A trader's word that it joins a retailer."""
        join = Join(
            area=AREA,
            channel=self.channel,
            contract=self.contract,
            number=number,
            retailer=retailer,
            v=1,
            valid_until_s=valid_until_s,
        )
        return sign_compact(key_of(name), JOIN_TYP, encode(join))

    def hold(
        self, name: str, meter: str, *, area: str = AREA, valid_until_s: int = VALID_UNTIL_S
    ) -> str:
        """A trader's word that it holds a meter."""
        hold = Hold(
            area=area,
            channel=self.channel,
            contract=self.contract,
            meter=meter,
            v=1,
            valid_until_s=valid_until_s,
        )
        return sign_compact(key_of(name), HOLD_TYP, encode(hold))

    def payout(
        self,
        name: str,
        amount_nano: int,
        reference: str,
        *,
        retailer: str = R1,
        area: str = AREA,
        valid_until_s: int = VALID_UNTIL_S,
    ) -> str:
        """A trader's word that its retailer shall pay it out."""
        payout = Payout(
            amount_nano=amount_nano,
            area=area,
            channel=self.channel,
            contract=self.contract,
            reference=reference,
            retailer=retailer,
            v=1,
            valid_until_s=valid_until_s,
        )
        return sign_compact(key_of(name), PAYOUT_TYP, encode(payout))

    def dispute(
        self,
        act: str,
        name: str,
        trade: int,
        *,
        reason: str = "not so",
        slot: int = SLOT,
        valid_until_s: int = VALID_UNTIL_S,
    ) -> str:
        """A party's word that it disagrees with a trade, or no longer does."""
        signed = DisputeAct(
            act="raise" if act == "raise" else "withdraw",
            area=AREA,
            channel=self.channel,
            contract=self.contract,
            reason=reason,
            slot=slot,
            trade=trade,
            v=1,
            valid_until_s=valid_until_s,
        )
        return sign_compact(key_of(name), DISPUTE_TYP, encode(signed))
