"""Door 2: a report that comes between two transactions of the check for readings is too late."""

from __future__ import annotations

from chaincode.metering.meters import AREA_METERS, METERS, AreaMeter, Meter, MeterVersion, Supply
from chaincode.metering.reports import Recorded
from chaincode.queries.meters import MeteredAnswer
from chaincode.slots.gate import PageArguments, SlotAnswer, SlotArguments
from chaincode.state import Dated
from identity.canonical import encode
from tests.contract.stage.cast import AREA, DSO, EAST, ORACLE, R1, SLOT, SLOT_S, did_of
from tests.contract.stage.copying import WRITE_ROWS, Rows
from tests.contract.stage.market import Market

END = SLOT + SLOT_S
MUTE = 3_900  # meters, none of which is read: more than one transaction checks


def add_mute_meters(market: Market) -> None:
    """Certify very many meters at once; their rows are what their registrations would leave."""
    version = MeterVersion(
        holder=did_of("A"),
        zone=EAST,
        grid_level=7,
        import_w=4_000,
        export_w=4_000,
        source="",
    )
    supply = Supply(holder=did_of("A"), retailer=R1, offtaker=R1)
    rows: list[tuple[str, bytes]] = []
    for number in range(MUTE):
        name = f"mute-{number:05d}"
        meter = Meter(
            meter=name,
            area=AREA,
            dso=DSO,
            versions=[Dated(SLOT, version)],
            supplies=[Dated(SLOT, supply)],
        )
        rows.append((METERS.key(name), encode(meter)))
        rows.append((AREA_METERS.key(AREA, name), encode(AreaMeter(from_slot=SLOT))))
    for first in range(0, len(rows), 2_000):
        market.submit(WRITE_ROWS, Rows(dict(rows[first : first + 2_000])), admin=True)


def test_a_report_between_two_steps_of_the_check_is_taken_and_settled(market: Market) -> None:
    """A is the first meter to be checked, "z" the last one."""
    market.traders("A", "z")
    add_mute_meters(market)
    market.clear()
    market.report("meter import export\nA 0 200", others=False)
    market.pass_until(END + market.rules.market.report_deadline_s)

    answer = market.submit("settle_slot", SlotArguments(AREA, SLOT), R1).read(SlotAnswer)
    assert (answer.phase, answer.step) == ("CLEARED", "READINGS")  # reports are still taken
    leaves = [market.leaf("z", SLOT), market.leaf("z", END, export_wh=300)]
    for leaf in leaves:
        assert market.send_report(market.signed_report([leaf])).read(Recorded).recorded == 1
    late = market.leaf("A", END, export_wh=1)  # checked already: the next correction settles it
    market.validate(late)
    market.settle(member=ORACLE)

    settlement = market.slot().settlement
    assert settlement is not None
    assert (settlement.estimated, settlement.surplus_wh) == (MUTE, 500)
    pages = market.ask("list_metered", PageArguments(AREA, SLOT), MeteredAnswer).pages
    last = market.ask("list_metered", PageArguments(AREA, SLOT, pages - 1), MeteredAnswer)
    assert (last.meters[-1].meter, last.meters[-1].surplus_wh) == ("z", 300)

    market.correct()
    settlement = market.slot().settlement
    assert settlement is not None
    assert settlement.surplus_wh == 501
