"""A hostile member: whatever lawful acts one member, one client and one administrator mix together,
the market is never frozen, tilted or drained (rules/contract.md, "How it is proved").

To replay a failure, play `Machine(seed)` for as many rounds as it says, cut or not as it says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tests.chaincode.crowd import cut_after
from tests.chaincode.hostile.faults import FAULTS
from tests.chaincode.hostile.machine import KINDS, Machine

ROUNDS = 10_000
ROUNDS_OF_A_MARKET = 500
PARTS = 2
EXHAUSTIVE_PARTS = 40
UNITS_OF_A_STEP = 2  # in the markets whose runs are cut, so that others act in the middle of them
SEEDS_OF_A_PART = 1_000

REFUSED = {
    *("TRANSIENT_UNEXPECTED", "TERMS_FROZEN", "DATED_BEFORE_GATE", "SLOT_INVALID", "SLOT_PHASE"),
    *("GATE_NOT_DUE", "GATE_OUT_OF_ORDER", "GATE_NOT_EMPTY", "GATE_CLOSED", "SLOT_NOT_OPEN"),
    *("SEEDS_AWAITED", "SEED_LATE", "SEED_WRONG", "NO_SEED_CHAIN", "SEED_CHAIN_NEEDED"),
    *("NOTHING_TO_FOLD", "NOTHING_TO_CORRECT", "SETTLEMENT_EARLY", "READINGS_MISSING"),
    *("REPORT_EARLY", "SIGNATURES_FEW", "READING_BACKWARDS", "READING_IMPLAUSIBLE"),
    *("READING_REPEATED", "EXCHANGE_EXISTS", "SLOT_FINAL", "CLOCK_BACKWARDS", "CLOCK_AHEAD"),
    *("INTENT_EXPIRED", "INTENT_TOO_LONG", "SIGNATURE_INVALID", "SHEET_UNREADABLE"),
    *("STEPS_TOO_MANY", "STEPS_COUNT", "CAPACITY_EXCEEDED", "ID_USED", "ORDER_UNKNOWN"),
    *("ORDER_NOT_OPEN", "REVISION_WRONG", "AMENDED_ALREADY", "ORDER_EXPIRED", "METER_NOT_HELD"),
    *("TRADER_LOCKED", "ZONE_PAUSED", "ZONE_STATE", "ACT_SEQUENCE", "NOT_AREA_DSO"),
    *("PAYMENT_EXISTS", "FUNDS_INSUFFICIENT", "NOT_OWN_CLIENT", "RETAILER_WRONG", "JOIN_NUMBER"),
    *("SUPPLY_NOT_NAMED", "OFFTAKE_MISSING", "NOT_SUPPLIER", "LAST_RESORT_MISSING"),
    *("NOT_LAST_RESORT", "NOT_METER_DSO", "HOLD_MISSING", "NOT_ORACLE_OPERATOR"),
    *("ORACLE_NODES_COUNT", "RULE_OUT_OF_BOUNDS", "DISPUTE_LATE", "DISPUTE_NOT_OPEN"),
    *("NOT_PARTY", "DISPUTE_EXISTS"),
}
SEEN = {
    *("PLACED", "EXISTS", "AMENDED", "CANCELLED", "withheld"),
    *("book: in", "book: LOCKED", "book: ZONE_PAUSED", "book: EXPIRED", "book: NO_COVER"),
    *("folding: default", "folding: repayment"),
    *(f"settled: {kind}" for kind in ("energy", "residual", "surplus", "penalty", "vat")),
    *("settled: fee:cancel",),
    *(f"corrected: {kind}" for kind in ("energy", "residual", "surplus", "vat")),
    *(f"Administrator.pause in {phase}" for phase in ("CLEARING", "SETTLING", "CORRECTING")),
    *(f"Administrator.resume in {phase}" for phase in ("CLEARING", "SETTLING")),
    *(f"Administrator.lock in {phase}" for phase in ("CLEARING", "SETTLING")),
    *(f"Administrator.validate in {phase}" for phase in ("CLEARING", "SETTLING")),
    *(f"Retailer.step_due in {phase}" for phase in ("CLEARING", "SETTLING", "CORRECTING")),
}


def play(part: int, rounds: int) -> tuple[Counter[str], Counter[str]]:
    """Play some markets, every second of them with runs that are cut; what was seen and done."""
    seen, kinds = Counter[str](), Counter[str]()
    for number in range(rounds // ROUNDS_OF_A_MARKET):
        with pytest.MonkeyPatch.context() as patch:
            if number % 2:
                cut_after(patch, UNITS_OF_A_STEP)
            machine = Machine(part * SEEDS_OF_A_PART + number)
            machine.play(ROUNDS_OF_A_MARKET)
        seen += machine.market.codes + machine.market.seen
        kinds += machine.kinds
    return seen, kinds


def play_some() -> None:
    """Play a few markets; a fault of the contract does not get through them."""
    for seed in range(10):
        Machine(seed).play(1_000)


@pytest.mark.parametrize("part", range(PARTS))
def test_nobody_freezes_tilts_or_drains_the_market(part: int) -> None:
    seen, kinds = play(part, ROUNDS // PARTS)

    assert not sorted(KINDS - set(kinds)), "some acts were never tried"
    assert not sorted(REFUSED - set(seen)), "some refusals were never met"
    assert not sorted(SEEN - set(seen)), "the rounds have not met everything"


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", range(PARTS, PARTS + EXHAUSTIVE_PARTS))
def test_nobody_does_in_ten_times_as_many_rounds(part: int) -> None:
    seen, kinds = play(part, 10 * ROUNDS // EXHAUSTIVE_PARTS)

    assert not KINDS - set(kinds)
    assert seen["settled: energy"]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_contract_with_a_fault_is_found_out(
    fault: Callable[[pytest.MonkeyPatch], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that finds nothing proves nothing: each of these doors was open for a moment."""
    said = fault(monkeypatch)

    with pytest.raises(AssertionError, match=said):
        play_some()
