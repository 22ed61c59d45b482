"""Dated prices outside the auction: residual supply, VAT of parties and fee rows of an area."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import (
    Annotated,
    Literal,
)

import msgspec

from chaincode.area.fees import FeeRow, check_rows
from chaincode.area.vat import (
    Vat,
)
from chaincode.area.zones import (
    VERSIONS_MAX,
    own_area,
    require_open,
)
from chaincode.consortium.participants import PARTICIPANTS
from chaincode.context import (
    Accepted,
    Context,
)
from chaincode.errors import (
    FEE_ROW,
    NO_RESIDUAL_PRICES,
    NOT_OWN_CLIENT,
    PARTICIPANT_UNKNOWN,
    PRICE_OUT_OF_REACH,
    VAT_RATE,
    VERSIONS_TOO_MANY,
)
from chaincode.state import (
    AccountName,
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

FEE_ROWS_READ_MAX = 1_000  # beyond this fees cannot be read; up to this their rows are counted
PRICE_MAX = 1_000_000_000  # 1,000 currency units per kWh, positive or negative

FeeRows = Annotated[list[FeeRow], msgspec.Meta(max_length=FEE_ROWS_READ_MAX)]


class ResidualPrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a retailer charges for residual import and pays for surplus, in micro/kWh."""

    import_price: Signed
    export_price: Signed


class ResidualRow(Row, frozen=True):
    """A retailer's dated residual prices in an area, oldest first."""

    versions: Annotated[list[Dated[ResidualPrices]], msgspec.Meta(max_length=VERSIONS_MAX)]


class VatRow(Row, frozen=True):
    """A party's dated VAT status, oldest first."""

    versions: Annotated[list[Dated[Vat]], msgspec.Meta(max_length=VERSIONS_MAX)]


class FeeSchedule(Row, frozen=True):
    """An area's dated fee rows, oldest first."""

    versions: Annotated[list[Dated[FeeRows]], msgspec.Meta(max_length=VERSIONS_MAX)]


RESIDUALS = Table(23, "residual prices", ResidualRow, ("area", "retailer"))
VATS = Table(24, "VAT", VatRow, ("area", "party"))
FEES = Table(25, "fees", FeeSchedule, ("area",))


class ResidualArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The calling retailer's prices in an area from a slot on."""

    area: Id
    from_slot: Second
    prices: ResidualPrices


class VatArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A party's VAT in an area from a slot on; the party is the caller or the caller's client."""

    area: Id
    party: AccountName
    from_slot: Second
    status: Literal["private", "small_business", "taxable"]
    rate_ppm: Rate


class FeesArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All fee rows of an area from a slot on."""

    area: Id
    from_slot: Second
    rows: FeeRows


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
    """Record the VAT status of the caller itself or of one of its clients."""
    require_open(context, arguments.area, arguments.from_slot)
    member = context.caller.member
    if arguments.party != member:
        client = PARTICIPANTS.get(context, arguments.party)
        if client is None:
            raise PARTICIPANT_UNKNOWN(did=arguments.party)
        if client.retailer != member:
            raise NOT_OWN_CLIENT(did=arguments.party, retailer=client.retailer)
    if arguments.status != "taxable" and arguments.rate_ppm:
        raise VAT_RATE(status=arguments.status, rate_ppm=arguments.rate_ppm)
    row = VATS.get(context, arguments.area, arguments.party)
    versions = _room([] if row is None else row.versions)
    vat = Vat(status=arguments.status, rate_ppm=arguments.rate_ppm)
    dated = with_version(versions, arguments.from_slot, vat)
    VATS.put(context, VatRow(versions=dated), arguments.area, arguments.party)
    context.emit("vat_set", encode(arguments))
    return Accepted(arguments.party)


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
        schedule = FEES.get(context, area)
        rows = None if schedule is None else at_slot(schedule.versions, slot)
        self.fee_rows: list[FeeRow] = rows or []

    def load_vats(self, parties: Iterable[str]) -> None:
        """Read the VAT status of `parties`; a party without a recorded status is private."""
        wanted = [party for party in dict.fromkeys(parties) if party not in self._vats]
        if not wanted:
            return
        names = [(self._area, party) for party in wanted]
        for party, row in zip(wanted, VATS.get_many(self._context, names), strict=True):
            vat = None if row is None else at_slot(row.versions, self._slot)
            self._vats[party] = vat or Vat()

    @property
    def vats(self) -> Mapping[str, Vat]:
        """The statuses loaded so far."""
        return self._vats

    def taxed_ppm(self, party: str) -> int:
        """The VAT rate in ppm that a party adds as a supplier; 0 if the party adds no VAT."""
        self.load_vats([party])
        vat = self._vats[party]
        return vat.rate_ppm if vat.status == "taxable" else 0

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
