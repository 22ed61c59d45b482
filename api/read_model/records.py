"""What the read model answers: plain tuples, named, with a cursor where they come in pages.

Energy in Wh, power in W, prices in micro-currency per kWh, money in nano-currency, times in
seconds UTC (of market time, except `Checkpoint.time_s`, which is real).
A slot is its start. `block` is the block of the ledger that brought the row as it is.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from chaincode.queries.market import OrderState

R = TypeVar("R")


class Page(NamedTuple, Generic[R]):
    """Rows of one page in order; `more` is whether others follow them."""

    rows: list[R]
    more: bool


class Checkpoint(NamedTuple):
    """How far the read model is: the last transaction it holds; block 0 where it holds none."""

    block: int
    place: int
    time_s: int
    channel: str
    contract: str


class OrganisationRecord(NamedTuple):
    """A member of the consortium; `role` is dso, retailer, oracle or regulator."""

    name: str
    role: str


class AreaRecord(NamedTuple):
    """An area; market time = `market_anchor_s` + (real time - `real_anchor_s`) x `rate`.

    `rate` is 0 as long as the area has no clock.
    """

    area: str
    dso: str
    slot_s: int
    real_anchor_s: int
    market_anchor_s: int
    rate: int

    def market_s(self, time_s: int) -> int:
        """Market time at real time `time_s`; before the anchor it stands still."""
        return self.market_anchor_s + max(0, time_s - self.real_anchor_s) * self.rate


class ZoneRecord(NamedTuple):
    """A zone with what it cleared at last (None before it has cleared)."""

    zone: str
    area: str
    parent: str | None
    grid_level: int
    paused: bool
    last_slot: int | None
    last_price: int | None


class ParticipantRecord(NamedTuple):
    """A prosumer or consumer and the retailer that admitted it."""

    did: str
    retailer: str
    locked: bool


class MeterRecord(NamedTuple):
    """A certified meter as of some slot; `source` is empty where nothing generates behind it."""

    meter: str
    area: str
    holder: str
    retailer: str
    zone: str
    grid_level: int
    import_w: int
    export_w: int
    source: str
    from_slot: int

    @property
    def cursor(self) -> str:
        """Where a page goes on after this row."""
        return self.meter


class HealthRecord(NamedTuple):
    """How a node of the oracle finds a meter, or the node whose DID stands as `meter`.

    `at_s` is when it was so; `said_ms` is when the node said so last, milliseconds UTC of its own
    clock, and rises with each of its words.
    """

    meter: str
    node: str
    state: str
    sentence: str
    at_s: int
    said_ms: int


class SlotRecord(NamedTuple):
    """A slot; the sums are 0 until it has settled, `gate_s` None without rules for it."""

    area: str
    slot: int
    phase: str
    gate_s: int | None
    settled_wh: int
    residual_wh: int
    surplus_wh: int
    minted_wh: int
    retired_wh: int
    estimated: int
    block: int

    @property
    def cursor(self) -> str:
        """Where a page goes on after this row."""
        return str(self.slot)


class PriceRecord(NamedTuple):
    """What a zone cleared at in a slot; `price` is None where nothing was traded."""

    area: str
    slot: int
    zone: str
    price: int | None
    volume_wh: int
    orders: int
    trades: int
    block: int


class OrderRecord(NamedTuple):
    """An order; `limit_price` is that of its best step, `steps` are (price, Wh)."""

    area: str
    slot: int
    trader: str
    client_id: str
    meter: str
    zone: str
    side: str
    quantity_wh: int
    limit_price: int
    steps: list[tuple[int, int]]
    expires_s: int | None
    revision: int
    open: bool
    matched_wh: int
    settled_wh: int
    left_out: str
    placed_s: int
    block: int
    state: OrderState

    @property
    def name(self) -> str:
        """The order's full name, as books and trades have it."""
        return f"{self.trader}/{self.client_id}"

    @property
    def cursor(self) -> str:
        """Where a page goes on after this row."""
        return f"{self.slot}.{self.client_id}"


class TradeRecord(NamedTuple):
    """A trade; `settled_wh` is None until its slot has settled. Orders by their full names."""

    area: str
    slot: int
    number: int
    buyer: str
    seller: str
    buy_order: str
    sell_order: str
    buy_meter: str
    sell_meter: str
    zone_path: list[str]
    quantity_wh: int
    buy_price: int
    sell_price: int
    relation: str
    tariff: int
    settled_wh: int | None
    disputed: bool
    block: int
    state: OrderState

    @property
    def cursor(self) -> str:
        """Where a page goes on after this row."""
        return f"{self.slot}.{self.number}"


class PostingRecord(NamedTuple):
    """A line of the books, received where above 0.

    `sequence` counts all lines; `slot` and `trade` are None for a payment. `number` counts those
    of a slot. `cause` is the transaction's name, `transaction` its id.
    """

    sequence: int
    area: str
    slot: int | None
    number: int
    account: str
    amount_nano: int
    kind: str
    trade: int | None
    explain: str
    cause: str
    transaction: str
    block: int

    @property
    def cursor(self) -> str:
        """Where a page goes on after this row."""
        return str(self.sequence)


class AccountRecord(NamedTuple):
    """What an owner has: `available_nano` is what is not reserved for trades that are to settle.

    `minted_wh` are certificates of its plants, `live_wh` those of them that nobody has retired,
    `retired_wh` what it has retired as a consumer.
    """

    area: str
    owner: str
    balance_nano: int
    reserved_nano: int
    minted_wh: int
    live_wh: int
    retired_wh: int
    block: int

    @property
    def available_nano(self) -> int:
        """What is free of reservations."""
        return self.balance_nano - self.reserved_nano


class CertificateRecord(NamedTuple):
    """Certificates of one slot at one meter; what is not retired is live with the owner."""

    area: str
    slot: int
    meter: str
    owner: str
    zone: str
    source: str
    minted_wh: int
    retired_wh: int
    block: int

    @property
    def cursor(self) -> str:
        """Where a page goes on after this row."""
        return f"{self.slot}.{self.meter}"


class ReadingRecord(NamedTuple):
    """The newest reading of a meter in a slot: registers at both of its ends, Wh."""

    meter: str
    slot: int
    version: int
    import_from_wh: int
    import_to_wh: int
    export_from_wh: int
    export_to_wh: int
    quality: str
    resolution_wh: int
    block: int

    @property
    def import_wh(self) -> int:
        """What the meter took."""
        return self.import_to_wh - self.import_from_wh

    @property
    def export_wh(self) -> int:
        """What the meter gave."""
        return self.export_to_wh - self.export_from_wh


class DepthStep(NamedTuple):
    """The Wh of all open orders of one side at one limit."""

    price: int
    quantity_wh: int


class Depth(NamedTuple):
    """A zone's open orders of a slot by limit: buys from the highest, sells from the lowest."""

    buys: list[DepthStep]
    sells: list[DepthStep]


class ClientRecord(NamedTuple):
    """A retailer's client with what its account holds."""

    did: str
    retailer: str
    locked: bool
    balance_nano: int
    reserved_nano: int
    minted_wh: int
    live_wh: int
    retired_wh: int
    block: int

    @property
    def cursor(self) -> str:
        """Where a page goes on after this row."""
        return self.did


class ProposalRecord(NamedTuple):
    """What a meter may offer for a slot: the median export at that time on `days` earlier days.

    `quantity_wh` is never above `certified_wh`, the certified power over the slot; it is 0 where
    `days` is 0.
    """

    meter: str
    slot: int
    quantity_wh: int
    certified_wh: int
    days: int
