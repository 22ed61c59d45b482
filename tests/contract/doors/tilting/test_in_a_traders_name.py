"""Door 21: something is registered in a trader's name that the trader has not signed."""

from __future__ import annotations

import msgspec
import pytest

from chaincode.accounts.payments import PayoutArguments
from chaincode.area.joining import ParticipantArguments
from chaincode.errors import Refused
from chaincode.metering.certification import MeterArguments
from tests.contract.stage.cast import DSO, EAST, MILLION, R1, R2, SLOT, did_of
from tests.contract.stage.market import Market


def join(market: Market, token: str, member: str) -> None:
    """Let a retailer submit a join."""
    market.submit("register_participant", ParticipantArguments(token), member)


def test_second_retailer_cannot_register_a_stranger_and_block_the_first(market: Market) -> None:
    mallory = market.tokens.join("M", R2)
    anna = market.tokens.join("A", R1)
    header, payload, _ = anna.split(".")
    forged = ".".join([header, payload, mallory.split(".")[2]])

    with pytest.raises(Refused, match="RETAILER_WRONG"):
        join(market, anna, R2)
    with pytest.raises(Refused, match="SIGNATURE_INVALID"):
        join(market, forged, R1)

    join(market, anna, R1)
    assert market.run(market.ledger.state_hash())
    market.credit("A", MILLION)


def test_trader_moves_to_another_retailer_and_an_old_join_moves_it_back_never(
    market: Market,
) -> None:
    market.trader("A", deposit_nano=5 * MILLION)
    market.clear()  # folds what was paid in
    first = market.tokens.join("A", R1)

    market.join("A", R2, number=2)

    for token in (first, market.tokens.join("A", R1, number=2)):
        with pytest.raises(Refused, match="JOIN_NUMBER"):
            join(market, token, R1)
    with pytest.raises(Refused, match="NOT_OWN_CLIENT"):
        market.debit("A", MILLION)
    market.debit("A", MILLION, retailer=R2)
    assert market.account("A").available_nano == 4 * MILLION
    market.join("A", R1, number=3)
    market.debit("A", MILLION)


def meter(holder: str, *, hold: str | None, power_w: int = 1_000) -> MeterArguments:
    """A meter that the DSO certifies for a holder."""
    return MeterArguments(
        meter="m",
        holder=did_of(holder),
        zone=EAST,
        grid_level=7,
        import_w=power_w,
        export_w=power_w,
        from_slot=SLOT,
        hold=hold,
    )


def test_rule_8_5_dso_certifies_no_meter_for_a_holder_that_has_not_signed(market: Market) -> None:
    market.traders("A", "B")

    def refusal(arguments: MeterArguments) -> str:
        with pytest.raises(Refused) as refused:
            market.submit("register_certified_meter", arguments, DSO)
        return refused.value.code

    assert refusal(meter("A", hold=None)) == "HOLD_MISSING"
    assert refusal(meter("A", hold=market.tokens.hold("B", "m"))) == "HOLD_WRONG"
    assert refusal(meter("A", hold=market.tokens.hold("A", "other"))) == "HOLD_WRONG"
    market.submit("register_certified_meter", meter("A", hold=market.tokens.hold("A", "m")))
    market.submit("register_certified_meter", meter("A", hold=None, power_w=2_000))
    assert refusal(meter("B", hold=None)) == "HOLD_MISSING"


def test_rule_8_5_retailer_pays_out_what_its_client_has_signed_and_that_once(
    market: Market,
) -> None:
    market.trader("A", deposit_nano=5 * MILLION)
    market.trader("B", retailer=R2, deposit_nano=0)
    market.clear()  # folds what was paid in
    signed = PayoutArguments(market.tokens.payout("A", MILLION, "out"))
    foreign = PayoutArguments(market.tokens.payout("A", MILLION, "out", retailer=R2))

    with pytest.raises(Refused, match="RETAILER_WRONG"):
        market.submit("debit_client", signed, R2)
    with pytest.raises(Refused, match="NOT_OWN_CLIENT"):
        market.submit("debit_client", foreign, R2)
    with pytest.raises(Refused, match="ARGUMENTS_INVALID"):
        market.submit("debit_client", msgspec.defstruct("Unsigned", ["area"])("area"), R1)
    market.submit("debit_client", signed, R1)
    market.submit("debit_client", signed, R1)

    assert market.account("A").available_nano == 4 * MILLION
