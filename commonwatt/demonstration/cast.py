"""The demonstration's cast: members, area, zones, tariffs, households with wallets and meters.

The cast follows from a seed and a number of households. `found` registers it on an empty ledger.
Prices, rates and rules here are made up for the demonstration.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from chaincode.accounts.balances import PaymentArguments
from chaincode.area.clock import ClockArguments
from chaincode.area.fees import FeeRow
from chaincode.area.rules import MarketRules, RulesArguments
from chaincode.area.tariffs import FeesArguments, ResidualArguments, ResidualPrices, VatArguments
from chaincode.area.zones import AreaArguments, CapacityArguments, ZoneArguments
from chaincode.auctions.book import PriceRule
from chaincode.consortium.organisations import InitialiseArguments, OrganisationArguments
from chaincode.consortium.participants import ParticipantArguments
from chaincode.errors import Refused
from chaincode.metering.meters import MeterArguments
from chaincode.metering.reports import OracleArguments, OracleSet
from chaincode.slots.gate import SeedArguments
from commonwatt.demonstration.profiles import Household, draw_households
from commonwatt.demonstration.seeded_keys import Draw, SeedChain
from identity.did import did_key
from identity.keys import PrivateKey
from ledger_network.port import Ledger, Member

CHANNEL = "lindenhof-market"
AREA = "lindenhof"
ROOT = "lindenhof-substation"
ZONES = ("lindenhof-north", "lindenhof-south")
DSO = "NordGrid"
RETAILERS = ("GreenPower", "CityEnergy")
ORACLE = "MeterHouse"
ORGANISATIONS = (
    OrganisationArguments(DSO, "dso"),
    OrganisationArguments("SouthGrid", "dso"),
    OrganisationArguments(RETAILERS[0], "retailer"),
    OrganisationArguments(RETAILERS[1], "retailer"),
    OrganisationArguments(ORACLE, "oracle"),
    OrganisationArguments("EnergyAuthority", "regulator"),
)
TIME_ZONE = "Europe/Berlin"
SLOT_S = 900
CHAIN_LENGTH = 4_000  # slots, which is some forty days
CHAIN_LEFT_MIN = 400  # when fewer pre-images remain, the next chain is posted
CHAIN_AHEAD_SLOTS = 200  # a chain is posted before its first slot opens
DEPOSIT_NANO = 50_000_000_000  # 50 currency units
DEPOSIT_LOW_NANO = 5_000_000_000
ORACLE_NODES = 4
ORACLE_FAULTY_MAX = 1
HOMES_EMPTY = 12  # homes that `commonwatt up` keeps for newcomers
HOMES_DRAWN = 4  # homes drawn per empty home, so that enough of them have a roof

FOUNDED_ALREADY = ("ALREADY_INITIALISED", "ALREADY_REGISTERED", "SEED_CHAIN_LATE")

RESIDUALS = {
    RETAILERS[0]: ResidualPrices(import_price=268_000, export_price=68_000),
    RETAILERS[1]: ResidualPrices(import_price=284_000, export_price=74_000),
}
FEES = [
    FeeRow("grid", DSO, 34_400, 190_000, relation="local"),
    FeeRow("grid", DSO, 57_600, 190_000, relation="regional"),
    FeeRow("grid", DSO, 80_000, 190_000, relation="residual"),
    FeeRow("loss", DSO, 5_000, 190_000),
    FeeRow("levy", "levy", 10_000, 190_000, supplier=DSO, relation="residual"),
]


class Home(msgspec.Struct, frozen=True):
    """A household of the demonstration: profile, meter, wallet key, zone and retailer."""

    number: int
    profile: Household
    key: PrivateKey
    did: str
    meter: str
    zone: str
    retailer: str


class Cast(msgspec.Struct, frozen=True):
    """All members and households of the demonstration, the price rule, and the lots of orders."""

    draw: Draw
    homes: list[Home]
    oracle_keys: list[PrivateKey]
    oracle: OracleSet
    regulator: PrivateKey
    price_rule: PriceRule = "midpoint"
    lot_wh: int = 1


def make_cast(seed: int, households: int) -> Cast:
    """Return the cast of `households` homes drawn from `seed`."""
    draw = Draw(f"commonwatt demonstration {seed}".encode())
    homes: list[Home] = []
    for number, profile in enumerate(draw_households(seed, households)):
        key = draw.key("home", number)
        homes.append(
            Home(
                number=number,
                profile=profile,
                key=key,
                did=did_key(key.public),
                meter=f"meter-{number:05d}",
                zone=ZONES[number % len(ZONES)],
                retailer=RETAILERS[(number >> 1) % len(RETAILERS)],
            )
        )
    oracle_keys = [draw.key("oracle", number) for number in range(ORACLE_NODES)]
    nodes = [did_key(key.public) for key in oracle_keys]
    return Cast(
        draw=draw,
        homes=homes,
        oracle_keys=oracle_keys,
        oracle=OracleSet(nodes=nodes, faulty_max=ORACLE_FAULTY_MAX),
        regulator=draw.key("regulator"),
    )


def draw_empty_homes(seed: int, households: int, count: int) -> list[Home]:
    """Draw up to `count` empty homes with a roof, numbered after the homes of the cast."""
    drawn = make_cast(seed, households + HOMES_DRAWN * count).homes[households:]
    return [home for home in drawn if home.profile.pv_column][:count]


def market_rules(from_s: int) -> MarketRules:
    """Return the demonstration's rules, with the local time of two years from `from_s`."""
    return MarketRules(
        time_zone=TIME_ZONE,
        offsets=list(local_offsets(TIME_ZONE, from_s, days=730)),
        opens_s=4 * 3600,
        cancel_fee=5_000,
    )


def local_offsets(time_zone: str, from_s: int, *, days: int) -> Iterator[tuple[int, int]]:
    """Yield the changes of a zone's offset from UTC, from `from_s` on: (second, seconds east)."""
    zone = ZoneInfo(time_zone)
    last: int | None = None
    for hour in range(days * 24):
        second = from_s + hour * 3600
        moment = datetime.fromtimestamp(second, UTC).astimezone(zone)
        offset = moment.utcoffset() or timedelta(0)
        offset_s = offset.days * 86_400 + offset.seconds
        if offset_s != last:
            yield second, offset_s
            last = offset_s


def import_w(home: Home) -> int:
    """Return the certified import power of the meter: the load peak, rounded up to whole kW."""
    return -(-home.profile.load_peak_w // 1000) * 1000


def export_w(home: Home) -> int:
    """Return the certified export power of the meter: the roof's peak, rounded up to whole kW."""
    return -(-home.profile.pv_peak_w // 1000) * 1000


def seed_chain(cast: Cast, number: int) -> SeedChain:
    """Return the DSO's chain of tie seeds by its number."""
    return SeedChain(cast.draw, number, CHAIN_LENGTH)


async def found(ledger: Ledger, cast: Cast, *, first_slot: int, clock: ClockArguments) -> None:
    """Register the cast on an empty ledger; `first_slot` is the first slot that can be traded.

    If founding was interrupted, call this again: it skips what is registered already.
    """
    dso = Member(DSO, "admin")

    async def submit(name: str, arguments: msgspec.Struct, member: Member = dso) -> None:
        try:
            await ledger.submit(name, arguments, member=member)
        except Refused as refused:
            if refused.code not in FOUNDED_ALREADY:
                raise

    regulator = did_key(cast.regulator.public)
    await submit("initialise", InitialiseArguments(regulator, list(ORGANISATIONS)))
    await submit("register_area", AreaArguments(AREA, ROOT, 5, demonstration=True))
    for zone in ZONES:
        await submit("register_zone", ZoneArguments(AREA, zone, ROOT, 7))
        await submit("set_zone_capacity", CapacityArguments(zone, 250_000, 160_000, first_slot))
    await submit("set_clock", clock)
    anchor = seed_chain(cast, 0).anchor
    await submit("post_seed_anchor", SeedArguments(AREA, first_slot, anchor))
    rules = msgspec.structs.replace(
        market_rules(first_slot - first_slot % 3600 - 86_400), price_rule=cast.price_rule
    )
    await submit("set_market_rules", RulesArguments(AREA, first_slot, rules))
    await submit("set_fees", FeesArguments(AREA, first_slot, FEES))
    for retailer in RETAILERS:
        admin = Member(retailer, "admin")
        prices = ResidualArguments(AREA, first_slot, RESIDUALS[retailer])
        await submit("set_residual_prices", prices, admin)
        vat = VatArguments(AREA, retailer, first_slot, "taxable", 190_000)
        await submit("set_vat", vat, admin)
    nodes = OracleArguments(AREA, first_slot, cast.oracle.nodes, cast.oracle.faulty_max)
    await submit("set_oracle_nodes", nodes, Member(ORACLE, "admin"))
    for home in cast.homes:
        retailer = Member(home.retailer)
        await submit("register_participant", ParticipantArguments(home.did), retailer)
        await submit("register_certified_meter", certified_meter(home, first_slot))
        deposit = PaymentArguments(AREA, home.did, DEPOSIT_NANO, f"deposit-{home.number}-0")
        await submit("credit_client", deposit, retailer)


def certified_meter(home: Home, first_slot: int) -> MeterArguments:
    """Return a home's meter as its DSO certifies it, for slots from `first_slot` on."""
    return MeterArguments(
        meter=home.meter,
        holder=home.did,
        retailer=home.retailer,
        zone=home.zone,
        grid_level=7,
        import_w=import_w(home),
        export_w=export_w(home),
        from_slot=first_slot,
        source="solar" if home.profile.pv_column else "",
    )
