"""Every refusal that a user of the ledger can provoke, and that it changes nothing.

Requests are ladders: wrong in every way at first, then repaired fault by fault, so that which of
two faults is named is tested too. What only the `Context` itself refuses is in
`tests/chaincode/test_context.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest

from chaincode.area.capacities import CapacityArguments
from chaincode.area.rule_changes import RulesArguments
from chaincode.area.tariffs import ResidualArguments, ResidualPrices
from chaincode.area.zones import AreaArguments, PauseArguments, ZoneArguments
from chaincode.consortium.organisations import OrganisationArguments
from chaincode.errors import REFUSALS, Refused
from chaincode.metering.certification import MeterArguments
from chaincode.metering.last_resort import AgreementArguments, LastResortArguments
from chaincode.metering.oracles import AppointmentArguments, RevocationArguments
from chaincode.slots.draw import SeedArguments, SeedChainArguments
from chaincode.slots.gate import SlotArguments
from tests.contract.stage import ladders
from tests.contract.stage.cast import (
    AREA,
    DSO,
    EAST,
    MILLION,
    ORACLE,
    OTHER_DSO,
    R1,
    R2,
    SLOT,
    SLOT_S,
    WEST,
    Engine,
    Rules,
    did_of,
    seeds,
)
from tests.contract.stage.faults import (
    BARE,
    CLOCKLESS,
    ELSEWHERE,
    FAR,
    LADDERS,
    NEXT,
    NOBODY,
    THIRD,
    leaf,
)
from tests.contract.stage.ladders import Ladder, submitting
from tests.contract.stage.market import Market, Opener, Submission
from tests.contract.stage.supply_faults import BEYOND

ELSEWHERE_CODES = {
    "NOT_INITIALISED",  # below, on a ledger of which nothing is registered
    "CLEARING_OUT_OF_ORDER",  # test_clearing_again.py: it takes two closed slots
    "NOTHING_TO_CORRECT",  # test_correcting.py: it takes a settled slot
    "PAYOUT_WAITS",  # test_payments.py: it takes a closed slot
    "FOLDING_BEHIND",  # tests/chaincode/accounts/test_folding.py: it takes hundreds of gates
    "SEED_OUT_OF_ORDER",  # test_draw.py: it takes rules that let two gates close at once
    "SEED_MEMBERS_TOO_MANY",  # these take hundreds of members or acts: tests/chaincode/slots
    "GATES_TOO_MANY",
    "LOCKED_TOO_MANY",
    "BATCH_FULL",  # test_batches.py: an answer to a token beside answers to others
    "STEPS_TOO_MANY",  # likewise
    "ROWS_TOO_LARGE",  # likewise
    "READING_PURGED",  # no engine purges at once: tests/chaincode/metering/test_reports.py
    "METERS_TOO_MANY",  # tests/chaincode/metering/test_meter_counts.py: it takes a full group
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
    in another area, one that is certified from the third slot on, and one that nobody supplies.
    """
    areas = [
        (AreaArguments(ELSEWHERE, f"{ELSEWHERE}-root", 5), OTHER_DSO),
        (AreaArguments(BARE, f"{BARE}-root", 5), DSO),
        (AreaArguments(CLOCKLESS, f"{CLOCKLESS}-root", 5, demonstration=True), DSO),
    ]
    for area, dso in areas:
        market.submit("register_area", area, dso, admin=True)
    prices = [ResidualPrices(import_price=1, export_price=1)]
    residuals = [ResidualArguments(area, SLOT_S, prices) for area in (ELSEWHERE, BARE, CLOCKLESS)]
    anchors = [
        (SeedChainArguments(area, SLOT_S, seeds(b"else")[0]), dso)
        for area, dso in ((ELSEWHERE, OTHER_DSO), (CLOCKLESS, DSO))
    ]
    market.submit_together(
        [
            *(Submission("set_residual_prices", one, R1, admin=True) for one in residuals),
            *(Submission("post_seed_chain", anchor, dso) for anchor, dso in anchors),
        ]
    )
    rules = RulesArguments(ELSEWHERE, SLOT, market.rules.market)
    market.traders("S", "B", "C", "P")
    meter = MeterArguments(
        meter=f"S-{ELSEWHERE}",
        holder=did_of("S"),
        zone=f"{ELSEWHERE}-root",
        grid_level=7,
        import_w=1000,
        export_w=1000,
        from_slot=SLOT_S,
        hold=market.tokens.hold("S", f"S-{ELSEWHERE}", area=ELSEWHERE),
    )
    market.submit("register_certified_meter", meter, OTHER_DSO)
    market.submit("set_market_rules", rules, OTHER_DSO, admin=True)
    market.submit("set_zone_capacity", CapacityArguments(WEST, 1, 5, SLOT, "works"))
    market.act("lock", "P", 1)
    market.meter("S-west", holder="S", zone=WEST)
    market.meter("S-later", holder="S", from_slot=THIRD)
    market.meter("S-dark", holder="S", retailer="")
    market.meter("S-supplied", holder="S")
    market.supply("S-supplied", holder="S", from_slot=BEYOND + SLOT_S)
    oracles(market)
    market.meter("S-real", holder="S", zone="real-root", retailer="", area="real")
    last_resort(market)
    market.submit("pause_zone", PauseArguments(WEST, "works"))
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


def oracles(market: Market) -> None:
    """A real area whose oracle the DSO has appointed from some slot on; one node is revoked."""
    market.submit("register_area", AreaArguments("real", "real-root", 5), admin=True)
    market.submit("post_seed_chain", SeedChainArguments("real", SLOT, seeds(b"real")[0]))
    market.submit("appoint_oracle", AppointmentArguments("real", ORACLE, BEYOND), admin=True)
    rules = RulesArguments("real", SLOT, market.rules.market)
    market.submit("set_market_rules", rules, admin=True)
    revoked = RevocationArguments("real", did_of("gone"), BEYOND)
    market.submit("revoke_oracle_node", revoked, admin=True)


def last_resort(market: Market) -> None:
    """A supplier of last resort that has agreed, and is named from a later slot on."""
    named = LastResortArguments(AREA, R2, BEYOND)
    market.submit("name_supplier_of_last_resort", named, admin=True)
    agreed = AgreementArguments(AREA, BEYOND, BEYOND + 10 * SLOT_S)
    market.submit("agree_to_last_resort", agreed, R2, admin=True)


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
    return lambda: market.dispute("raise", "B", 0, reason="another")


def set_rules(market: Market, number: int) -> None:
    rules = RulesArguments(AREA, FAR + number * SLOT_S, market.rules.market)
    market.submit("set_market_rules", rules, admin=True)


def rules_ahead(market: Market) -> Fault:
    def set_all(market: Market) -> None:
        for number in range(100):
            set_rules(market, number)

    market.leap(set_all)
    return lambda: set_rules(market, 100)


def add_zone(market: Market, number: int, *, parent: str = "bare-root") -> None:
    zone = ZoneArguments(BARE, f"z{number}", parent, 7)
    market.submit("register_zone", zone, admin=True)


def zones_too_many(market: Market) -> Fault:
    def add_all(market: Market) -> None:
        for number in range(999):
            add_zone(market, number)

    market.leap(add_all)
    return lambda: add_zone(market, 999)


def zones_too_deep(market: Market) -> Fault:
    def dig(market: Market) -> None:
        parent = "bare-root"
        for number in range(7):
            add_zone(market, number, parent=parent)
            parent = f"z{number}"

    market.leap(dig)
    return lambda: add_zone(market, 7, parent="z6")


def transaction_unknown(market: Market) -> Fault:
    return lambda: market.submit("nothing", PauseArguments(EAST, "works"))


def bytes_too_many(market: Market) -> Fault:
    four_mib = {"x": b"x" * 4 * 1024 * 1024}
    return lambda: market.submit("pause_zone", PauseArguments(EAST, "works"), transient=four_mib)


def transient_unexpected(market: Market) -> Fault:
    return lambda: market.submit("pause_zone", PauseArguments(EAST, "works"), transient={"x": b"x"})


def batch_bytes(market: Market) -> Fault:
    return lambda: market.send(["x" * 1_048_576, "x" * 1_048_576])


def seeds_awaited(market: Market) -> Fault:
    market.pass_until(market.gate_s(NEXT))
    market.submit("close_gate", SlotArguments(AREA, NEXT))
    return lambda: market.clear_part(NEXT)


def seed_wrong(market: Market) -> Fault:
    seeds_awaited(market)
    seed = SeedArguments(AREA, NEXT, market.seeds[market.revealed + 2])
    return lambda: market.submit("reveal_seed", seed)


def seed_late(market: Market) -> Fault:
    seeds_awaited(market)
    market.pass_until(market.gate_s(NEXT) + market.rules.market.seed_deadline_s)
    seed = SeedArguments(AREA, NEXT, market.seeds[market.revealed + 1])
    return lambda: market.submit("reveal_seed", seed)


SINGLES = {
    "SEEDS_AWAITED": seeds_awaited,
    "SEED_WRONG": seed_wrong,
    "SEED_LATE": seed_late,
    "TRANSACTION_UNKNOWN": transaction_unknown,
    "BYTES_TOO_MANY": bytes_too_many,
    "TRANSIENT_UNEXPECTED": transient_unexpected,
    "BATCH_BYTES": batch_bytes,
    "READING_REPEATED": reading_repeated,
    "READING_BACKWARDS": reading_backwards,
    "READING_IMPLAUSIBLE": reading_implausible,
    "SLOT_FINAL": slot_final,
    "EXCHANGE_EXISTS": exchange_exists,
    "DISPUTE_EXISTS": dispute_exists,
    "RULES_AHEAD": rules_ahead,
    "ZONES_TOO_MANY": zones_too_many,
    "ZONES_TOO_DEEP": zones_too_deep,
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
        assert ladders.refused(lambda: market.join("S")) == "NOT_INITIALISED"
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
