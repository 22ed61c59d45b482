"""Dated prices outside the auction: residual supply, VAT of parties and fee rows of an area."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import msgspec

from chaincode.area.fees import FeeRow, check_rows
from chaincode.area.history import needed_slot
from chaincode.area.opening import require_unopened
from chaincode.area.vat import Vat, VatStatus
from chaincode.area.zones import get_area, own_area
from chaincode.context import (
    Accepted,
    Context,
)
from chaincode.errors import (
    FEE_ROW,
    NO_RESIDUAL_PRICES,
    PRICE_OUT_OF_REACH,
    VAT_RATE,
)
from chaincode.state import (
    DatedTable,
    Id,
    OlderVersion,
    Rate,
    Recent,
    RecentTable,
    Row,
    Second,
    Signed,
    encode,
)
from chaincode.units import slots_between

FEE_ROWS_READ_MAX = 1_000  # beyond this fees cannot be read; up to this their rows are counted
PRICE_MAX = 1_000_000_000  # 1,000 currency units per kWh, positive or negative
SCHEDULE_MAX = 100  # slots of one price schedule: a day of quarter hours, the longest one too

FeeRows = Annotated[list[FeeRow], msgspec.Meta(max_length=FEE_ROWS_READ_MAX)]


class ResidualPrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a retailer charges for residual import and pays for surplus, in micro/kWh."""

    import_price: Signed
    export_price: Signed


Prices = Annotated[list[ResidualPrices], msgspec.Meta(min_length=1, max_length=SCHEDULE_MAX)]


class ResidualRow(Row, frozen=True):
    """A retailer's prices of the slots from the version's slot on; the last price holds on."""

    slot_s: int
    prices: Prices

    def price(self, from_slot: int, slot: int) -> ResidualPrices:
        """The prices of `slot` in the version that begins with `from_slot`."""
        return self.prices[min(slots_between(from_slot, slot, self.slot_s), len(self.prices) - 1)]


class VatRow(Recent[Vat], frozen=True):
    """A party's newest VAT statuses as a customer records them, oldest first, with their slots."""


class FeeSchedule(Row, frozen=True):
    """An area's fee rows from a slot on."""

    rows: FeeRows


RESIDUALS = DatedTable(23, "residual prices", ResidualRow, ("area", "retailer", "slot"))
OLDER_VATS = DatedTable(26, "older VAT", OlderVersion[Vat], ("area", "customer", "party", "slot"))
VATS = RecentTable(24, "VAT", VatRow, ("area", "customer", "party"), older=OLDER_VATS)
FEES = DatedTable(25, "fees", FeeSchedule, ("area", "slot"))


class ResidualArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The calling retailer's prices in an area: of the slot `from_slot`, the slot after it, …

    The last of the prices holds until the next version begins.
    """

    area: Id
    from_slot: Second
    prices: Prices


class VatArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The VAT that the caller itself adds in an area, from a slot on."""

    area: Id
    from_slot: Second
    status: VatStatus
    rate_ppm: Rate


class FeesArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All fee rows of an area from a slot on."""

    area: Id
    from_slot: Second
    rows: FeeRows


def set_residual_prices(context: Context, arguments: ResidualArguments) -> Accepted:
    """Post the calling retailer's residual prices from a slot on."""
    area = get_area(context, arguments.area)
    require_unopened(context, area, arguments.from_slot)
    for price in arguments.prices:
        if max(abs(price.import_price), abs(price.export_price)) > PRICE_MAX:
            raise PRICE_OUT_OF_REACH(limit=PRICE_MAX)
    names = (area.area, context.caller.member)
    row = ResidualRow(slot_s=area.slot_s, prices=arguments.prices)
    RESIDUALS.put_from(context, row, *names, from_slot=arguments.from_slot)
    RESIDUALS.prune(context, *names, needed_slot=needed_slot(context, area.area))
    context.emit("residual_prices_set", encode(arguments))
    return Accepted(context.caller.member)


def set_vat(context: Context, arguments: VatArguments) -> Accepted:
    """Record the VAT status of the caller itself."""
    area = get_area(context, arguments.area)
    require_unopened(context, area, arguments.from_slot)
    member = context.caller.member
    put_vat(
        context,
        area=area.area,
        customer=member,
        party=member,
        from_slot=arguments.from_slot,
        status=arguments.status,
        rate_ppm=arguments.rate_ppm,
    )
    context.emit("vat_set", encode(arguments))
    return Accepted(member)


def put_vat(
    context: Context,
    *,
    area: str,
    customer: str,
    party: str,
    from_slot: int,
    status: VatStatus,
    rate_ppm: int,
) -> None:
    """Write the VAT that `party` adds to what `customer` buys from it, from a slot on.

    A member records its own VAT, for all customers, with `customer` being itself.
    """
    if status != "taxable" and rate_ppm:
        raise VAT_RATE(status=status, rate_ppm=rate_ppm)
    names = (area, customer, party)
    vat = Vat(status=status, rate_ppm=rate_ppm)
    VATS.put_from(context, vat, *names, from_slot=from_slot)
    VATS.prune(context, *names, needed_slot=needed_slot(context, area))


def set_fees(context: Context, arguments: FeesArguments) -> Accepted:
    """Post all fee rows of the caller's area from a slot on."""
    area = own_area(context, arguments.area)
    require_unopened(context, area, arguments.from_slot)
    fault = check_rows(arguments.rows)
    if fault is not None:
        raise FEE_ROW(row=fault.row, field=fault.field, value=fault.value, bound=fault.bound)
    row = FeeSchedule(rows=arguments.rows)
    FEES.put_from(context, row, area.area, from_slot=arguments.from_slot)
    FEES.prune(context, area.area, needed_slot=needed_slot(context, area.area))
    context.emit("fees_set", encode(arguments))
    return Accepted(area.area)


class Tariffs:
    """The tariffs of a slot for settlement and cover: fee rows, retailers' prices, parties' VAT.

    Each party's rows are read once per transaction.
    """

    def __init__(self, context: Context, area: str, slot: int) -> None:
        self._context = context
        self._area = area
        self._slot = slot
        self._prices: dict[str, ResidualPrices] = {}
        self._vats: dict[str, Vat] = {}
        self._client_vats: dict[tuple[str, str], Vat] = {}
        schedule = FEES.at(context, area, slot=slot)
        self.fee_rows: list[FeeRow] = [] if schedule is None else schedule.rows

    def load_vats(self, members: Iterable[str]) -> None:
        """Read the VAT that `members` add; a member without a recorded status is private."""
        wanted = [member for member in dict.fromkeys(members) if member not in self._vats]
        found = self._read_vats([(member, member) for member in wanted])
        self._vats.update(zip(wanted, found, strict=True))

    def load_client_vats(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Read the VAT that clients add, by (retailer that buys, client); private if not recorded."""
        wanted = [pair for pair in dict.fromkeys(pairs) if pair not in self._client_vats]
        self._client_vats.update(zip(wanted, self._read_vats(wanted), strict=True))

    def client_vat(self, retailer: str, client: str) -> Vat:
        """The loaded VAT that a client adds to what a retailer buys from it."""
        return self._client_vats[retailer, client]

    def _read_vats(self, pairs: Sequence[tuple[str, str]]) -> list[Vat]:
        if not pairs:
            return []
        names = [(self._area, *pair) for pair in pairs]
        return [vat or Vat() for vat in VATS.at_many(self._context, names, slot=self._slot)]

    @property
    def vats(self) -> Mapping[str, Vat]:
        """The statuses of members loaded so far."""
        return self._vats

    def taxed_ppm(self, party: str) -> int:
        """The VAT rate in ppm that a party adds as a supplier; 0 if the party adds no VAT."""
        self.load_vats([party])
        return self._vats[party].taxed_ppm

    def residual(self, retailer: str) -> ResidualPrices:
        """A retailer's prices in this slot; a retailer that has posted no prices is refused."""
        known = self._prices.get(retailer)
        if known is not None:
            return known
        found = RESIDUALS.version_at(self._context, self._area, retailer, slot=self._slot)
        if found is None:
            raise NO_RESIDUAL_PRICES(retailer=retailer, area=self._area, slot=self._slot)
        from_slot, row = found
        prices = self._prices[retailer] = row.price(from_slot, self._slot)
        return prices
