"""The demonstration's cast: members, area, zones, tariffs, households with wallets and meters.

The cast follows from a seed and a number of households. `found` registers it on an empty ledger.
Prices, rates and rules here are made up for the demonstration.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from chaincode.accounts.payments import PaymentArguments
from chaincode.area.capacities import CapacityArguments
from chaincode.area.clock import ClockArguments
from chaincode.area.fees import FeeRow
from chaincode.area.joining import ParticipantArguments
from chaincode.area.rule_changes import RulesArguments
from chaincode.area.rules import MarketRules
from chaincode.area.tariffs import FeesArguments, ResidualArguments, ResidualPrices, VatArguments
from chaincode.area.zones import AreaArguments, ZoneArguments
from chaincode.auctions.book import PriceRule
from chaincode.consortium.organisations import InitialiseArguments, OrganisationArguments
from chaincode.errors import CLOCK_BACKWARDS, Refused
from chaincode.metering.certification import MeterArguments
from chaincode.metering.oracles import AppointmentArguments, OracleArguments, OracleSet
from chaincode.metering.supply import SUPPLY_TYP, SupplyArguments, SupplyConsent
from chaincode.slots.draw import SeedChainArguments
from commonwatt.demonstration.profiles import Household, draw_households
from commonwatt.demonstration.seeded_keys import Draw, SeedChain
from commonwatt.demonstration.signing import sign_hold, sign_join
from identity.canonical import encode
from identity.did import did_key
from identity.jws import sign_compact
from identity.keys import PrivateKey
from ledger_network.port import Ledger, Member

CHANNEL = "lindenhof-market"
AREA = "lindenhof"
ROOT = "lindenhof-substation"
ZONES = ("lindenhof-north", "lindenhof-south")
DSO = "NordGrid"
RETAILERS = ("GreenPower", "CityEnergy")
ORACLE = "MeterHouse"
SEED_HOLDERS = (DSO, *RETAILERS)  # the members that take part in the draw
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
GATE_LEAD_S = 300
CHAIN_LENGTH = 4_000  # slots, which is some forty days
CHAIN_LEFT_MIN = 400  # when fewer pre-images remain, the next chain is posted
CHAIN_AHEAD_SLOTS = 200  # a chain is posted before its first slot opens
DEPOSIT_NANO = 50_000_000_000  # 50 currency units
DEPOSIT_LOW_NANO = 5_000_000_000
ORACLE_NODES = 4
ORACLE_FAULTY_MAX = 1
CONSENT_S = 86_400  # market time goes on while a fast market is founded
HOMES_EMPTY = 12  # homes that `commonwatt up` keeps for newcomers
HOMES_DRAWN = 4  # homes drawn per empty home, so that enough of them have a roof

OPENS_S = 3_600  # a newcomer trades from the next slot that has not opened, so this is its wait
FOUNDING_S = 86_400  # market time before the first slot opens, in which its terms are posted

FOUNDED_ALREADY = (
    "ALREADY_INITIALISED",
    "ALREADY_REGISTERED",
    "CLOCK_BACKWARDS",
    "TERMS_FROZEN",
)

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
    opens_s: int = OPENS_S


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
        opens_s=OPENS_S,
        gate_lead_s=GATE_LEAD_S,
        seed_deadline_s=SLOT_S,  # a demonstration that runs fast needs the whole of it
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


def seed_chain(cast: Cast, member: str, number: int) -> SeedChain:
    """Return a member's chain of tie seeds by its number."""
    return SeedChain(cast.draw, f"{member} {number}", CHAIN_LENGTH)


async def found(
    ledger: Ledger,
    cast: Cast,
    *,
    first_slot: int,
    clock: ClockArguments,
    admit: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Register the cast on an empty ledger; `first_slot` is the first slot that can be traded.

    Terms are dated to slots that have not opened. So market time stands before the opening of the
    first slot until all terms are posted; then it begins to run by `clock`. `admit` registers the
    homes another way than one after the other. If founding was interrupted, call this again: it skips
    what is registered already.
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
    before_s = first_slot - cast.opens_s - FOUNDING_S
    await submit("set_clock", ClockArguments(AREA, clock.real_anchor, before_s, 1))
    for holder in SEED_HOLDERS:
        anchor = seed_chain(cast, holder, 0).anchor
        chain = SeedChainArguments(AREA, first_slot, anchor)
        await submit("post_seed_chain", chain, Member(holder))
    for name, arguments, member in terms(cast, first_slot):
        await submit(name, arguments, Member(member, "admin"))
    sign = Signing(ledger.channel, ledger.contract, now_s=clock.market_anchor)
    if admit is not None:
        await admit()
    for home in cast.homes if admit is None else ():
        retailer = Member(home.retailer)
        joined = ParticipantArguments(sign.join(home))
        await submit("register_participant", joined, retailer)
        await submit("register_certified_meter", certified_meter(home, first_slot, sign.hold(home)))
        supply = supply_of(home, first_slot, channel=ledger.channel, contract=ledger.contract)
        await submit("accept_supply", supply, retailer)
        deposit = PaymentArguments(AREA, home.did, DEPOSIT_NANO, f"deposit-{home.number}-0")
        await submit("credit_client", deposit, retailer)
    await start_clock(ledger, clock)


def terms(cast: Cast, first_slot: int) -> Iterator[tuple[str, msgspec.Struct, str]]:
    """The terms that hold from the first slot on, and the members that post them."""
    rules = msgspec.structs.replace(
        market_rules(first_slot - first_slot % 3600 - 86_400),
        price_rule=cast.price_rule,
        opens_s=cast.opens_s,
    )
    yield "set_market_rules", RulesArguments(AREA, first_slot, rules), DSO
    yield "set_fees", FeesArguments(AREA, first_slot, FEES), DSO
    for zone in ZONES:
        capacity = CapacityArguments(zone, 250_000, 160_000, first_slot, "the feeder's cable")
        yield "set_zone_capacity", capacity, DSO
    for retailer in RETAILERS:
        prices = ResidualArguments(AREA, first_slot, [RESIDUALS[retailer]])
        yield "set_residual_prices", prices, retailer
        yield "set_vat", VatArguments(AREA, first_slot, "taxable", 190_000), retailer
    yield "appoint_oracle", AppointmentArguments(AREA, ORACLE, first_slot), DSO
    nodes = OracleArguments(AREA, first_slot, cast.oracle.nodes, cast.oracle.faulty_max)
    yield "set_oracle_nodes", nodes, ORACLE


async def start_clock(ledger: Ledger, clock: ClockArguments) -> None:
    """Let market time run by `clock`, unless it has run further already."""
    try:
        await ledger.submit("set_clock", clock, member=Member(DSO, "admin"))
    except Refused as refused:
        if refused.code != CLOCK_BACKWARDS.code:
            raise


class Signing(msgspec.Struct, frozen=True):
    """Signs for homes at market time `now_s` what their retailers and the DSO submit."""

    channel: str
    contract: str
    now_s: int

    def join(self, home: Home) -> str:
        """Sign a home's join of its retailer."""
        place = (AREA, self.channel, self.contract)
        return sign_join(home.key, home.retailer, place=place, now_s=self.now_s)

    def hold(self, home: Home) -> str:
        """Sign that a home holds its meter."""
        place = (AREA, self.channel, self.contract)
        return sign_hold(home.key, home.meter, place=place, now_s=self.now_s)


def certified_meter(home: Home, first_slot: int, hold: str) -> MeterArguments:
    """Return a home's meter as its DSO certifies it, for slots from `first_slot` on.

    `hold` is the token by which the household says that it holds the meter.
    """
    return MeterArguments(
        meter=home.meter,
        holder=home.did,
        zone=home.zone,
        grid_level=7,
        import_w=import_w(home),
        export_w=export_w(home),
        from_slot=first_slot,
        source="solar" if home.profile.pv_column else "",
        hold=hold,
    )


def supply_of(home: Home, first_slot: int, *, channel: str, contract: str) -> SupplyArguments:
    """Return what a home signs: its retailer supplies its meter from `first_slot` on."""
    consent = SupplyConsent(
        area=AREA,
        channel=channel,
        contract=contract,
        from_slot=first_slot,
        meter=home.meter,
        retailer=home.retailer,
        v=1,
        valid_until_s=first_slot + CONSENT_S,
    )
    return SupplyArguments(sign_compact(home.key, SUPPLY_TYP, encode(consent)))
