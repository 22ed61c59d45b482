"""Door 10: certificates and money for energy that no register shows, and a slot nobody could read."""

from __future__ import annotations

import pytest

from chaincode.errors import Refused
from chaincode.metering.reports import Recorded
from chaincode.queries.meters import MeteredAnswer
from chaincode.slots.gate import PageArguments
from tests.contract.stage.cast import AREA, MILLION, SLOT, SLOT_S
from tests.contract.stage.market import Market

NEXT = SLOT + SLOT_S
THIRD = NEXT + SLOT_S


def settle_late(market: Market, slot: int) -> None:
    """Let the report deadline pass and settle."""
    market.pass_until(slot + SLOT_S + market.rules.market.report_deadline_s)
    market.settle(slot)


def settled(market: Market, slot: int, meter: str = "S") -> tuple[int, int, int]:
    """Import, export and certificates of a meter that trades nothing."""
    meters = market.ask("list_metered", PageArguments(AREA, slot), MeteredAnswer).meters
    row = next(row for row in meters if row.meter == meter)
    return row.residual_wh, row.surplus_wh, row.minted_wh


@pytest.mark.parametrize("order", [(SLOT, NEXT), (NEXT, SLOT)])
def test_a_corrected_end_without_the_next_start_makes_no_certificates(
    market: Market, order: tuple[int, int]
) -> None:
    """900 Wh of register are 900 Wh of certificates, wherever the register between them lies."""
    market.traders("S")
    for slot, table in ((SLOT, "S 0 100"), (NEXT, "S 0 800")):
        market.clear(slot)
        market.report(f"meter import export\n{table}", slot)
        market.settle(slot)
    assert market.account("S").account.minted_wh == 900

    with pytest.raises(Refused, match="READING_BACKWARDS"):
        market.validate(market.leaf("S", NEXT, export_wh=1))  # beyond the next register
    market.validate(market.leaf("S", NEXT, export_wh=-1))  # 899 Wh of them in the first slot
    for slot in order:
        market.correct(slot)

    assert (settled(market, SLOT), settled(market, NEXT)) == ((0, 899, 899), (0, 1, 1))
    account = market.account("S").account
    assert (account.minted_wh, account.live_wh) == (900, 900)
    posted = market.posted(SLOT)["S"] + market.posted(NEXT)["S"]
    assert posted == 54 * MILLION  # 900 Wh of surplus at 60,000


def test_silent_slots_after_an_export_mint_and_pay_nothing(market: Market) -> None:
    """1,000 Wh, then five slots without a reading; the registers prove 0 Wh in between."""
    market.traders("S")
    market.clear(SLOT)
    market.report("meter import export\nS 0 1000", SLOT)
    market.settle(SLOT)
    silent = range(NEXT, NEXT + 5 * SLOT_S, SLOT_S)
    for slot in silent:
        market.clear(slot)
    for slot in silent:
        settle_late(market, slot)
        assert settled(market, slot) == (0, 0, 0)
        assert market.postings(slot) == []
    assert market.account("S").account.minted_wh == 1_000

    market.send_report(market.signed_report([market.leaf("S", silent.stop)]))
    for slot in silent:
        market.correct(slot)
        assert settled(market, slot) == (0, 0, 0)
        assert market.postings(slot) == []
    assert market.account("S").account.minted_wh == 1_000


def test_the_slot_of_an_exchange_is_read(market: Market) -> None:
    """The old device counted 30 and 300 Wh of the slot, the new one 12 and 70."""
    market.traders("S")
    market.clear(SLOT)
    market.clear(NEXT)
    market.report("meter import export\nS 500 5000", SLOT)
    market.settle(SLOT)
    market.pass_until(THIRD)
    of_new_device = market.leaf("S", THIRD, import_wh=12 + 2 - 500, export_wh=70 + 1 - 5_000)
    signed = market.signed_report([of_new_device])
    with pytest.raises(Refused, match="READING_BACKWARDS"):
        market.send_report(signed)

    with pytest.raises(Refused, match="READING_BACKWARDS"):
        market.exchange("S", NEXT, (499, 5_300), (2, 1))
    market.exchange("S", NEXT, (530, 5_300), (2, 1))
    assert market.send_report(signed).read(Recorded).recorded == 1
    market.settle(NEXT)

    assert settled(market, NEXT) == (42, 370, 370)


def test_rule_6_6_an_exchange_that_is_recorded_late_is_settled_by_a_correction(
    market: Market,
) -> None:
    market.traders("S")
    for slot in (SLOT, NEXT):
        market.clear(slot)
    market.report("meter import export\nS 500 5000", SLOT)
    market.settle(SLOT)
    settle_late(market, NEXT)
    market.exchange("S", NEXT, (530, 5_300), (2, 1))

    market.pass_until(THIRD)
    leaf = market.leaf("S", THIRD, import_wh=14 - 500, export_wh=71 - 5_000)
    market.send_report(market.signed_report([leaf]))
    market.correct(NEXT)

    assert settled(market, NEXT) == (42, 370, 370)
    assert market.account("S").account.minted_wh == 5_370


def test_rule_6_3_dso_makes_no_energy_of_an_exchange_that_nobody_saw(market: Market) -> None:
    """It gave closing registers a million Wh beyond the last reading: they were minted and paid."""
    market.traders("S")
    market.clear(SLOT)
    market.report("meter import export\nS 500 5000", SLOT)
    market.settle(SLOT)
    market.clear(NEXT)
    market.pass_until(THIRD)
    before = market.state_hash()

    for closing in ((500, 1_005_000), (1_000_500, 5_000), (500, 2**53 - 1)):
        with pytest.raises(Refused, match="READING_IMPLAUSIBLE"):
            market.exchange("S", NEXT, closing, (0, 0))

    assert market.state_hash() == before
