"""Dated prices outside the auction: residual supply, VAT of parties and fee rows of an area."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from chaincode.area.fees import FeeRow, check_rows
from chaincode.area.vat import Vat, VatStatus
from chaincode.area.zones import (
    VERSIONS_MAX,
    own_area,
    require_open,
)
from chaincode.context import (
    Accepted,
    Context,
)
from chaincode.errors import (
    FEE_ROW,
    NO_RESIDUAL_PRICES,
    PRICE_OUT_OF_REACH,
    VAT_RATE,
    VERSIONS_TOO_MANY,
)
from chaincode.state import (
    D,
    Dated,
    Id,
    Rate,
    Row,
    Second,
    Signed,
    Table,
    at_slot,
    encode,
    with_version,
)

PRICE_MAX = 1_000_000_000  # 1,000 currency units per kWh, positive or negative


class ResidualPrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a retailer charges for residual import and pays for surplus, in micro/kWh."""

    import_price: Signed
    export_price: Signed


class ResidualRow(Row, frozen=True):
    """A retailer's dated residual prices in an area, oldest first."""

    versions: list[Dated[ResidualPrices]]


class VatRow(Row, frozen=True):
    """A party's dated VAT status as a customer records it, oldest first."""

    versions: list[Dated[Vat]]


class FeeSchedule(Row, frozen=True):
    """An area's dated fee rows, oldest first."""

    versions: list[Dated[list[FeeRow]]]


RESIDUALS = Table(23, "residual prices", ResidualRow, ("area", "retailer"))
VATS = Table(24, "VAT", VatRow, ("area", "customer", "party"))
FEES = Table(25, "fees", FeeSchedule, ("area",))


class ResidualArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The calling retailer's prices in an area from a slot on."""

    area: Id
    from_slot: Second
    prices: ResidualPrices


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
    rows: list[FeeRow]


def set_residual_prices(context: Context, arguments: ResidualArguments) -> Accepted:
    """Post the calling retailer's residual prices from a slot on."""
    require_open(context, arguments.area, arguments.from_slot)
    prices = arguments.prices
    if max(abs(prices.import_price), abs(prices.export_price)) > PRICE_MAX:
        raise PRICE_OUT_OF_REACH(limit=PRICE_MAX)
    names = (arguments.area, context.caller.member)
    row = RESIDUALS.get(context, *names)
    versions = _room([] if row is None else row.versions)
    dated = with_version(versions, arguments.from_slot, prices)
    RESIDUALS.put(context, ResidualRow(versions=dated), *names)
    context.emit("residual_prices_set", encode(arguments))
    return Accepted(context.caller.member)


def set_vat(context: Context, arguments: VatArguments) -> Accepted:
    """Record the VAT status of the caller itself."""
    require_open(context, arguments.area, arguments.from_slot)
    member = context.caller.member
    put_vat(
        context,
        area=arguments.area,
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
    row = VATS.get(context, area, customer, party)
    versions = _room([] if row is None else row.versions)
    dated = with_version(versions, from_slot, Vat(status=status, rate_ppm=rate_ppm))
    VATS.put(context, VatRow(versions=dated), area, customer, party)


def set_fees(context: Context, arguments: FeesArguments) -> Accepted:
    """Post all fee rows of the caller's area from a slot on."""
    area = own_area(context, arguments.area)
    require_open(context, area.area, arguments.from_slot)
    fault = check_rows(arguments.rows)
    if fault is not None:
        raise FEE_ROW(row=fault.row, field=fault.field, value=fault.value, bound=fault.bound)
    row = FEES.get(context, area.area)
    versions = _room([] if row is None else row.versions)
    dated = with_version(versions, arguments.from_slot, arguments.rows)
    FEES.put(context, FeeSchedule(versions=dated), area.area)
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
        schedule = FEES.get(context, area)
        rows = None if schedule is None else at_slot(schedule.versions, slot)
        self.fee_rows: list[FeeRow] = rows or []

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
        rows = VATS.get_many(self._context, [(self._area, *pair) for pair in pairs])
        dated = (None if row is None else at_slot(row.versions, self._slot) for row in rows)
        return [vat or Vat() for vat in dated]

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
        row = RESIDUALS.get(self._context, self._area, retailer)
        prices = None if row is None else at_slot(row.versions, self._slot)
        if prices is None:
            raise NO_RESIDUAL_PRICES(retailer=retailer, area=self._area, slot=self._slot)
        self._prices[retailer] = prices
        return prices


def _room(versions: list[Dated[D]]) -> list[Dated[D]]:
    if len(versions) >= VERSIONS_MAX:
        raise VERSIONS_TOO_MANY(limit=VERSIONS_MAX)
    return versions
