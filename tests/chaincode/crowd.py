"""Very many households, written into the state of a town directly, and what a slot of theirs ends in.

Registering thousands by transactions tells nothing new about a run; their orders, accounts and
readings stand in the tables as transactions would have left them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256

import msgspec
import pytest

from chaincode import context
from chaincode.accounts.balances import ACCOUNTS, Account
from chaincode.accounts.claims import CLAIMS, Claim
from chaincode.accounts.entries import ENTRIES, Entry, epoch_part, payment_cause
from chaincode.accounts.posting import Posting
from chaincode.clearing import run as clearing
from chaincode.clearing.order_book import BOOK_PAGES
from chaincode.clearing.records import CLEARINGS
from chaincode.clearing.run import TRADES, MatchedTrade
from chaincode.consortium.participants import PARTICIPANTS, Participant
from chaincode.context import BYTES_MAX, READS_MAX, WRITES_MAX, Caller, Context, PrivateKey
from chaincode.metering import slot_meters
from chaincode.metering.measured import MeasuredBoundaries
from chaincode.metering.meters import AREA_METERS, METERS, AreaMeter, Meter, MeterVersion, Supply
from chaincode.metering.readings import COLLECTION, Leaf, ranked, reading_key
from chaincode.orders.order_batch import ORDERS, OrderRow, StoredOrder
from chaincode.settlement import correction, meter_balances
from chaincode.settlement import run as settlement
from chaincode.settlement import settled_slot as settled
from chaincode.settlement.settled_slot import (
    METER_PAGES,
    POSTINGS,
    SETTLEMENTS,
    MeterSettled,
    SlotSettlement,
)
from chaincode.slots import folding, runs
from chaincode.slots.gate import SLOTS
from chaincode.state import Dated, R, Row, Side, Table, slot_part
from identity import keys
from identity.canonical import encode
from identity.did import did_key
from tests.chaincode.dict_engine import CHANNEL
from tests.chaincode.town import AREA, DSO, RETAILERS, SLOT, SLOT_S, ZONES, Town, key_of


class Household(msgspec.Struct, frozen=True, kw_only=True):
    """What a household brings to the slot; `plant_wh` is the export of a second meter."""

    orders: Sequence[StoredOrder] = ()
    balance_nano: int = 0
    credits_nano: Sequence[int] = ()
    import_wh: int | None = 0
    export_wh: int = 0
    plant_wh: int | None = None
    source: str = "solar"
    from_slot: int = SLOT
    zone: str = ""


class Ending(msgspec.Struct, frozen=True):
    """What clearing and settling a slot ends in, without how its pages and transactions were cut."""

    book: list[object]
    trades: list[MatchedTrade]
    clearings: list[object]
    meters: list[MeterSettled]
    sums: SlotSettlement
    accounts: dict[str, Account]
    claims: dict[str, Claim]
    entries: dict[str, Entry]
    posted: dict[tuple[str, str], int]
    phase: str


@lru_cache(maxsize=100_000)
def did_number(number: int) -> str:
    """The DID of a household by its number; its key is drawn from the number."""
    return did_key(key_number(number).public)


def key_number(number: int) -> keys.PrivateKey:
    """The key of a household."""
    return key_of(f"household {number}")


def meter_number(number: int, *, name: str = "meter") -> str:
    """The meter of a household."""
    return f"{name}-{number:06d}"


def order(
    number: int,
    side: Side,
    steps: Sequence[tuple[int, int]],
    *,
    name: str = "o",
    meter: str = "meter",
    withdrawn_wh: int = 0,
    open_: bool = True,
) -> StoredOrder:
    """An order at the household's meter."""
    return StoredOrder(
        id=name,
        meter=meter_number(number, name=meter),
        zone=ZONES[number % 2],
        side=side,
        steps=list(steps),
        open=open_,
        withdrawn_wh=withdrawn_wh,
        fee_nano=withdrawn_wh * 7_000,
    )


def settle_in(town: Town, households: Sequence[Household], *, meter: str = "meter") -> None:
    """Write the households into the town's state as transactions would have left them."""
    owed: Counter[str] = Counter()
    for number, household in enumerate(households):
        did, name = did_number(number), meter_number(number, name=meter)
        retailer = RETAILERS[(number >> 1) % 2]
        _put(town, PARTICIPANTS, Participant(did=did, retailer=retailer, joins=1), did)
        version = MeterVersion(
            holder=did,
            zone=household.zone or ZONES[number % 2],
            grid_level=7,
            import_w=40_000,
            export_w=40_000,
            source=household.source,
        )
        supply = Supply(holder=did, retailer=retailer, offtaker=retailer)
        _put_meter(town, name, Dated(household.from_slot, version), supply)
        if household.plant_wh is not None:
            plant = meter_number(number, name="plant")
            _put_meter(town, plant, Dated(SLOT, version), supply)
            put_reading(town, plant, 0, household.plant_wh)
        fees_nano = sum(order.fee_nano for order in household.orders)
        if household.balance_nano or fees_nano:  # what cancelling costs was there and is reserved
            balance_nano = household.balance_nano + fees_nano
            account = Account(balance_nano=balance_nano, reserved_nano=fees_nano)
            _put(town, ACCOUNTS, account, AREA, did)
            owed[retailer] -= balance_nano
        for place, nano in enumerate(household.credits_nano):
            cause = payment_cause(retailer, f"c{number}-{place}")
            for owner, answering, amount in ((did, retailer, nano), (retailer, "-", -nano)):
                entry = Entry(money_nano=amount)
                _put(town, ENTRIES, entry, AREA, epoch_part(0), owner, cause, answering)
        if household.orders:
            row = OrderRow(orders=list(household.orders))
            _put(town, ORDERS, row, AREA, slot_part(SLOT), did)
        if household.import_wh is not None:
            put_reading(town, name, household.import_wh, household.export_wh)
    for retailer, nano in owed.items():
        _put(town, ACCOUNTS, Account(balance_nano=nano), AREA, retailer)


def ending(town: Town, slot: int = SLOT) -> Ending:
    """What the slot ended in."""
    part = slot_part(slot)
    book = [page for _, page in _rows(town, BOOK_PAGES, AREA, part)]
    posted: Counter[tuple[str, str]] = Counter()
    for posting in all_postings(town, slot):
        posted[posting.account, posting.kind] += posting.amount_nano
    sums = SETTLEMENTS.decode(town.view.rows[SETTLEMENTS.key(AREA, part)])
    return Ending(
        book=[
            [entry for page in book for entry in page.entries],
            [left_out for page in book for left_out in page.left_out],
            [withdrawal for page in book for withdrawal in page.withdrawals],
        ],
        trades=[trade for _, page in _rows(town, TRADES, AREA, part) for trade in page.trades],
        clearings=list(_rows(town, CLEARINGS, AREA, part)),
        meters=[m for _, page in _rows(town, METER_PAGES, AREA, part) for m in page.meters],
        sums=msgspec.structs.replace(sums, meter_pages=0, energy_pages=0, cause_pages=0),
        accounts=dict(_rows(town, ACCOUNTS, AREA)),
        claims=dict(_rows(town, CLAIMS, AREA)),
        entries=dict(_rows(town, ENTRIES, AREA)),
        posted={place: nano for place, nano in posted.items() if nano},
        phase=SLOTS.decode(town.view.rows[SLOTS.key(AREA, part)]).phase,
    )


def all_postings(town: Town, slot: int = SLOT) -> list[Posting]:
    """The postings of a slot in the order of their pages."""
    pages = _rows(town, POSTINGS, AREA, slot_part(slot))
    return [posting for _, page in pages for posting in page.postings]


def cut_after(patch: pytest.MonkeyPatch, chunk: int) -> None:
    """Let a transaction of a run have points for so many units, or for one page of some of them.

    These are the very constants that say where a run is cut; nothing else of it knows them.
    """
    unit = runs.POINTS // chunk
    patch.setattr(folding, "ENTRY_POINTS", unit)
    patch.setattr(clearing, "CHUNK_ROWS", chunk)
    patch.setattr(clearing, "CHUNK_POINTS", runs.POINTS)
    patch.setattr(clearing, "TRADE_BYTES", context.BYTES_MAX)
    patch.setattr(clearing, "RECORD_POINTS", runs.POINTS // 4)
    patch.setattr(clearing, "RELEASE_POINTS", runs.POINTS // (50 * chunk))
    patch.setattr(settlement, "READ_ROWS", chunk)
    patch.setattr(settlement, "ENERGY_POINTS", runs.POINTS // (2 * chunk))
    patch.setattr(settlement, "WITHDRAWAL_POINTS", runs.POINTS // (4 * chunk))

    def points_of(fee_rows: int) -> int:
        assert fee_rows >= 0
        return unit

    def page_points_of(trades: Sequence[MatchedTrade]) -> int:
        assert trades
        return 0  # a unit may cost all points of a transaction

    patch.setattr(settled, "unit_points", points_of)
    patch.setattr(settled, "meter_points", points_of)
    patch.setattr(settled, "USED_PAGE_POINTS", 0)
    # A correction takes whole pages of energies, each written by one transaction of the settlement.
    patch.setattr(correction, "ENERGY_POINTS", runs.POINTS // (2 * chunk))
    patch.setattr(correction, "KEPT_POINTS", unit // 2)
    patch.setattr(correction, "page_points", page_points_of)


def small_pages(patch: pytest.MonkeyPatch, rows: int) -> None:
    """Let trades, postings and carried meters stand in pages of so few rows."""
    for module in (clearing, correction, slot_meters, settled, meter_balances):
        patch.setattr(module, "PAGE_ROWS", rows)


def without_limits(patch: pytest.MonkeyPatch) -> None:
    """Let one transaction be as large as it likes, as no engine would."""
    for name in ("READS_MAX", "WRITES_MAX", "BYTES_MAX"):
        patch.setattr(context, name, 10**12)
    patch.setattr(runs, "POINTS", 10**15)
    patch.setattr(runs, "ROOM_PERCENT", 10**15)
    patch.setattr(settled, "CHUNK", runs.PAGE_ROWS)  # the meters of a chunk are a page


def _rows(town: Town, table: Table[R], *parts: str) -> list[tuple[str, R]]:
    prefix = table.key(*parts) + "/"
    found = town.view.range(prefix, prefix[:-1] + "0")
    return [(key[len(prefix) :], table.decode(value)) for key, value in found]


def _put(town: Town, table: Table[R], row: Row, *parts: str) -> None:
    town.view.rows[table.key(*parts)] = encode(row)


def _put_meter(town: Town, meter: str, dated: Dated[MeterVersion | None], supply: Supply) -> None:
    row = Meter(
        meter=meter,
        area=AREA,
        dso=DSO,
        versions=[dated],
        supplies=[Dated(dated.from_slot, supply)],
    )
    _put(town, METERS, row, meter)
    _put(town, AREA_METERS, AreaMeter(from_slot=dated.from_slot), AREA, meter)


def put_reading(
    town: Town, meter: str, import_wh: int, export_wh: int, *, slot: int = SLOT
) -> None:
    """Write registers at both ends of a slot into the state; those at its start show 0 Wh."""
    put_register(town, meter, slot, 0, 0)
    put_register(town, meter, slot + SLOT_S, import_wh, export_wh)


def put_register(town: Town, meter: str, boundary: int, import_wh: int, export_wh: int) -> None:
    """Write registers at a boundary into the state, whatever stands there."""
    leaf = Leaf(
        boundary=boundary,
        export_wh=export_wh,
        import_wh=import_wh,
        meter=meter,
        resolution_wh=1,
        salt=sha256(meter.encode()).hexdigest(),
    )
    reading = ranked(leaf, rank="oracle", root="0" * 64, before=None)
    private = town.view.private
    private[private_place(COLLECTION, reading_key(boundary, meter))] = encode(reading)
    written = writing_context(town)
    index = MeasuredBoundaries(written, COLLECTION, slot_s=SLOT_S)
    index.load([meter], first=boundary, last=boundary)
    index.add(meter, boundary)
    index.write()
    private.update((place, value) for place, value in written.effects().private.items() if value)


def private_place(collection: str, key: str) -> PrivateKey:
    """Where a private value stands in the view of a town."""
    return PrivateKey(collection, key)


def writing_context(town: Town) -> Context:
    """The view of a transaction that may write, in which a test calls functions itself."""
    return Context(
        town.view,
        channel=CHANNEL,
        contract=town.engine.contract.name,
        caller=Caller(DSO, "client", ""),
        transaction="00",
        time_s=0,
        transient={},
        arguments_bytes=0,
        writes=True,
    )


def within_room(town: Town) -> None:
    """Require that no transaction has come near a limit."""
    engine = town.engine
    for used, limit in (
        (engine.written_max, WRITES_MAX),
        (engine.reads_max, READS_MAX),
        (engine.bytes_max, BYTES_MAX),
    ):
        assert used * 10 <= limit * 8
