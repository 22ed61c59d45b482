"""An area takes so many meters, counted in groups by the hash of their names (contract.md, 1.5)."""

from __future__ import annotations

from hashlib import sha256

from chaincode.metering.certification import MeterArguments
from chaincode.metering.meter_counts import GROUP_METERS_MAX, METER_COUNTS, METERS_MAX, MeterCount
from identity.canonical import encode
from tests.chaincode.town import AREA, DSO, Town, Trader


def group_of(meter: str) -> str:
    """The group that a meter's name falls into."""
    return f"{sha256(meter.encode()).digest()[0]:03d}"


def counted(town: Town, group: str) -> int:
    """How many meters the state counts in a group."""
    value = town.view.rows.get(METER_COUNTS.key(AREA, group))
    return 0 if value is None else METER_COUNTS.decode(value).meters


def certificate(town: Town, trader: Trader, meter: str) -> MeterArguments:
    """A meter as the DSO certifies it for a trader, whose hold it has."""
    return MeterArguments(
        meter=meter,
        holder=trader.did,
        zone=trader.zone,
        grid_level=7,
        import_w=4_000,
        export_w=4_000,
        from_slot=town.unopened(),
        source="solar",
        hold=town.hold_token(trader, meter),
    )


def test_rule_1_5_one_meter_more_than_its_group_holds_is_refused() -> None:
    town = Town(1, slots=1)
    trader = town.traders[0]
    group = group_of("another")
    full = METER_COUNTS.key(AREA, group)
    town.view.rows[full] = encode(MeterCount(meters=GROUP_METERS_MAX - 1))

    town.submit("register_certified_meter", certificate(town, trader, "another"), DSO, admin=True)

    assert counted(town, group) == GROUP_METERS_MAX
    same = next(name for name in map(str, range(10**6)) if group_of(name) == group)
    beyond = certificate(town, trader, same)
    code = town.refused("register_certified_meter", beyond, DSO, admin=True)
    assert code == "METERS_TOO_MANY"


def test_new_version_of_a_meter_is_not_counted_again() -> None:
    town = Town(1, slots=1)
    trader = town.traders[0]
    group = group_of(trader.meter)
    before = counted(town, group)

    again = certificate(town, trader, trader.meter)
    town.submit("register_certified_meter", again, DSO, admin=True)

    assert counted(town, group) == before == 1


def test_groups_together_take_as_many_meters_as_an_area() -> None:
    assert GROUP_METERS_MAX * len({group_of(str(number)) for number in range(10_000)}) == METERS_MAX
