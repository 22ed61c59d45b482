"""Every refusal that a user of the ledger can provoke, and that it changes nothing.

Requests are ladders: wrong in every way at first, then repaired fault by fault, so that which of
two faults is named is tested too. What only the `Context` itself refuses is in
`tests/chaincode/test_context.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest

from chaincode.area.rules import RulesArguments
from chaincode.area.tariffs import ResidualArguments, ResidualPrices
from chaincode.area.zones import AreaArguments, CapacityArguments, PauseArguments, ZoneArguments
from chaincode.consortium.organisations import OrganisationArguments
from chaincode.consortium.participants import ParticipantArguments
from chaincode.errors import REFUSALS, Refused
from chaincode.metering.meters import MeterArguments
from chaincode.slots.gate import SeedArguments
from tests.contract.stage import ladders
from tests.contract.stage.cast import (
    DSO,
    EAST,
    MILLION,
    OTHER_DSO,
    R1,
    SLOT,
    SLOT_S,
    WEST,
    Engine,
    Rules,
    did_of,
    seeds,
)
from tests.contract.stage.faults import BARE, ELSEWHERE, LADDERS, NEXT, NOBODY, THIRD, leaf
from tests.contract.stage.ladders import Ladder, submitting
from tests.contract.stage.market import Market, Opener, Submission
from tests.contract.stage.tokens import order_of

ELSEWHERE_CODES = {
    "NOT_INITIALISED",  # below, on a ledger of which nothing is registered
    "LANE_BUSY",  # test_clearing_again.py: it takes a slot too large for one transaction
    "TERMS_FROZEN",  # refused by nothing yet
    "CLOCK_REAL",  # the areas here are demonstrations
    "READING_PURGED",  # no engine purges at once: tests/chaincode/metering/test_reports.py
    "EXCHANGES_TOO_MANY",  # tests/chaincode/metering/test_exchanges.py
    "READS_TOO_MANY",  # these are refused by `Context` itself: tests/chaincode/test_context.py
    "WRITES_TOO_MANY",
    "READ_ONLY",
    "WRITE_AFTER_PAGE",
    "PRIVATE_RANGE",
}
"""Refusals that another test provokes."""


def people(market: Market) -> None:
    """Bring a market to where every fault can be made.

    The first slot is cleared with one trade of S and B; C took no part and P is locked. S has
    orders in the next slot: one open, one amended, one cancelled; a meter in a paused zone, one
    in another area, and one that is certified from the third slot on.
    """
    for area, dso in ((ELSEWHERE, OTHER_DSO), (BARE, DSO)):
        market.submit(
            "register_area",
            AreaArguments(area, f"{area}-root", 5, demonstration=True),
            dso,
            admin=True,
        )
    prices = ResidualPrices(import_price=1, export_price=1)
    residuals = [ResidualArguments(area, SLOT_S, prices) for area in (ELSEWHERE, BARE)]
    anchor = SeedArguments(ELSEWHERE, SLOT_S, seeds(b"else")[0])
    rules = RulesArguments(ELSEWHERE, SLOT_S, market.rules.market)
    market.submit_together(
        [
            *(Submission("set_residual_prices", one, R1, admin=True) for one in residuals),
            Submission("post_seed_anchor", anchor, OTHER_DSO),
        ]
    )
    market.submit("set_market_rules", rules, OTHER_DSO, admin=True)
    market.traders("S", "B", "C", "P")
    elsewhere = MeterArguments(
        meter="S-elsewhere",
        holder=did_of("S"),
        retailer=R1,
        zone="elsewhere-root",
        grid_level=7,
        import_w=1000,
        export_w=1000,
        from_slot=SLOT_S,
    )
    market.submit("register_certified_meter", elsewhere, OTHER_DSO)
    market.act("lock", "P", 1)
    market.meter("S-west", holder="S", zone=WEST)
    market.meter("S-later", holder="S", from_slot=THIRD)
    market.submit("pause_zone", PauseArguments(WEST))
    market.place("""
        who  id  side  price   wh
        S    s   sell  100000  500
        B    b   buy   100000  500
        """)
    market.place(
        """
        who  id       side  price   wh
        S    open     sell  300000  100
        S    amended  sell  300000  100
        S    gone     sell  300000  100
        """,
        slot=NEXT,
    )
    assert market.amend("S", "amended", 1, [(310_000, 100)], slot=NEXT) == "AMENDED"
    assert market.cancel("S", "gone", slot=NEXT) == "CANCELLED"
    market.clear()
    market.credit("B", MILLION, reference="taken")


@pytest.fixture
def peopled(open_market: Opener) -> Market:
    """A market in which every fault can be made."""
    return open_market(prepare=people)


def climb(market: Market, ladder: Ladder) -> None:
    """Try the ladder's request on every rung; the last repair, if there is one, lets it through."""
    fields = dict(ladder.first)
    before = market.state_hash()
    for code, repair in ladder.rungs:
        market.pass_until(fields.get("AT", 0))
        assert (ladder.attempt(market, fields), repair) == (code, repair)
        assert market.state_hash() == before
        fields |= repair

    market.pass_until(fields.get("AT", 0))
    repaired = bool(ladder.rungs[-1][1])
    assert (ladder.attempt(market, fields) == "") == repaired


@pytest.mark.parametrize("ladder", LADDERS, ids=lambda ladder: ladder.name.replace(" ", "-"))
def test_faults_are_named_one_after_the_other_and_change_nothing(
    peopled: Market, ladder: Ladder
) -> None:
    climb(peopled, ladder)


Fault: TypeAlias = Callable[[], object]


def report_of_c(market: Market) -> None:
    market.report("meter import export\nC 5 0", others=False)


def reading_repeated(market: Market) -> Fault:
    report_of_c(market)
    again = market.signed_report([leaf("B", NEXT), leaf("C", NEXT, import_wh=6)])
    return lambda: market.send_report(again)


def reading_backwards(market: Market) -> Fault:
    report_of_c(market)
    market.pass_until(THIRD)
    later = market.signed_report([leaf("C", import_wh=4)])
    return lambda: market.send_report(later)


def reading_implausible(market: Market) -> Fault:
    """10,500 Wh and the steps of both readings are allowed."""
    report_of_c(market)
    market.pass_until(THIRD)
    later = market.signed_report([leaf("C", import_wh=5 + 10_503)])
    return lambda: market.send_report(later)


def slot_final(market: Market) -> Fault:
    report_of_c(market)
    market.pass_until(NEXT + market.rules.market.final_s)
    late = market.signed_report([leaf("B", NEXT)])
    return lambda: market.send_report(late)


def exchange_exists(market: Market) -> Fault:
    market.pass_until(NEXT)
    market.exchange("C", SLOT, (7, 0), (0, 0))
    return lambda: market.exchange("C", SLOT, (8, 0), (0, 0))


def dispute_exists(market: Market) -> Fault:
    market.dispute("raise", "B", 0)
    return lambda: market.dispute("raise", "S", 0)


def set_capacity(market: Market, number: int) -> None:
    edge = CapacityArguments(EAST, 1, 1, NEXT + number * SLOT_S)
    market.submit("set_zone_capacity", edge)


def versions_too_many(market: Market) -> Fault:
    def set_all(market: Market) -> None:
        for number in range(200):
            set_capacity(market, number)

    market.leap(set_all)
    return lambda: set_capacity(market, 200)


def add_zone(market: Market, number: int) -> None:
    zone = ZoneArguments(BARE, f"z{number}", "bare-root", 7)
    market.submit("register_zone", zone, admin=True)


def zones_too_many(market: Market) -> Fault:
    def add_all(market: Market) -> None:
        for number in range(999):
            add_zone(market, number)

    market.leap(add_all)
    return lambda: add_zone(market, 999)


def transaction_unknown(market: Market) -> Fault:
    return lambda: market.submit("nothing", PauseArguments(EAST))


def bytes_too_many(market: Market) -> Fault:
    four_mib = {"x": b"x" * 4 * 1024 * 1024}
    return lambda: market.submit("pause_zone", PauseArguments(EAST), transient=four_mib)


def batch_tokens(market: Market) -> Fault:
    return lambda: market.send(["x"] * 501)


def batch_bytes(market: Market) -> Fault:
    return lambda: market.send(["x" * 1_048_576, "x"])


def batch_steps(market: Market) -> Fault:
    full = [order_of(f"o{number}", "buy", [(1, 1)] * 20, slot=NEXT) for number in range(100)]
    tokens = [
        market.tokens.sheet("C", full),
        market.tokens.sheet("B", [order_of("one", "buy", [(1, 1)], slot=NEXT)]),
    ]
    return lambda: market.send(tokens)


SINGLES = {
    "TRANSACTION_UNKNOWN": transaction_unknown,
    "BYTES_TOO_MANY": bytes_too_many,
    "BATCH_TOKENS": batch_tokens,
    "BATCH_BYTES": batch_bytes,
    "BATCH_STEPS": batch_steps,
    "READING_REPEATED": reading_repeated,
    "READING_BACKWARDS": reading_backwards,
    "READING_IMPLAUSIBLE": reading_implausible,
    "SLOT_FINAL": slot_final,
    "EXCHANGE_EXISTS": exchange_exists,
    "DISPUTE_EXISTS": dispute_exists,
    "VERSIONS_TOO_MANY": versions_too_many,
    "ZONES_TOO_MANY": zones_too_many,
}
"""Refusals that need a request of a certain size, or something to have happened before."""


@pytest.mark.parametrize("code", SINGLES)
def test_request_is_refused_and_changes_nothing(peopled: Market, code: str) -> None:
    faulty = SINGLES[code](peopled)
    before = peopled.state_hash()

    with pytest.raises(Refused) as refusal:
        faulty()

    assert refusal.value.code == code
    assert peopled.state_hash() == before


class Unfounded(Market):
    """A market of which nothing is registered yet."""

    def found(self) -> None:
        """Leave the ledger as it is when it has been made."""


def test_channel_is_initialised_once_by_a_dso_and_nothing_works_before(engine: Engine) -> None:
    market = Unfounded(engine, Rules())
    ladder = Ladder(
        "a channel is initialised",
        submitting("initialise"),
        {
            "regulator": NOBODY,
            "organisations": [{"name": DSO, "role": "dso"}, {"name": DSO, "role": "king"}],
            "MEMBER": R1,
        },
        [
            ("ARGUMENTS_INVALID", {"organisations": [OrganisationArguments(DSO, "dso")] * 2}),
            ("ADMIN_NEEDED", {"ADMIN": True}),
            ("ALREADY_REGISTERED", {"organisations": [OrganisationArguments(DSO, "dso")]}),
            ("ROLE_WRONG", {"MEMBER": DSO}),
            ("DID_UNUSABLE", {"regulator": did_of("regulator")}),
        ],
    )
    try:
        early = ladders.refused(
            lambda: market.submit("register_participant", ParticipantArguments(NOBODY), R1)
        )
        assert early == "NOT_INITIALISED"
        climb(market, ladder)
        assert ladder.attempt(market, ladder.first | ladder.rungs[0][1] | {"ADMIN": True}) == (
            "ALREADY_INITIALISED"
        )
    finally:
        market.close()


def test_every_refusal_has_its_row() -> None:
    rows = {code for ladder in LADDERS for code, _ in ladder.rungs} | set(SINGLES)

    assert [row.code for row in REFUSALS if row.code not in rows | ELSEWHERE_CODES] == []
    assert rows.isdisjoint(ELSEWHERE_CODES)
    assert {row.code for row in REFUSALS} >= rows | ELSEWHERE_CODES
