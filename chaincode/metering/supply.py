"""Supply: which retailer supplies a meter, taken by the retailer itself and agreed by the holder.

A retailer supplies a meter only if it has taken it, from a slot on that has not opened, and only with
the signature of the holder of the meter in that slot. A supply ends when the next one begins. Who
takes the surplus (the offtaker) is the retailer, or another retailer that has agreed beforehand. The
VAT that a client adds to what it sells is recorded by the retailer that pays it.

A meter that nobody supplies takes no part in a slot: it cannot trade, no reading of it is expected or
accepted, and it is not settled. Rules of the contract, parts 3 and 8.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from chaincode.area.clock import market_time_s
from chaincode.area.opening import require_unopened
from chaincode.area.tariffs import Tariffs, put_vat
from chaincode.area.vat import VatStatus
from chaincode.area.zones import get_area
from chaincode.consortium.organisations import require_role
from chaincode.context import Accepted, Context
from chaincode.documents.document import Document, is_expired
from chaincode.documents.intake import take
from chaincode.errors import (
    INTENT_EXPIRED,
    METER_AREA_FIXED,
    METER_NOT_HELD,
    NOT_SUPPLIER,
    OFFTAKE_MISSING,
    SUPPLY_NOT_NAMED,
    SUPPLY_TAKEN,
)
from chaincode.metering.meters import (
    METERS,
    OLDER_SUPPLIES,
    Meter,
    Supply,
    get_meter,
    meter_at,
    put_supply,
    supplied_at,
)
from chaincode.state import Id, Rate, Row, Second, Table, encode

SUPPLY_TYP = "commonwatt-supply+jws"
TOKEN_MAX = 8_192  # characters of a signed document, as its intake allows
PLACE_MAX = 250  # characters of the name of a channel or contract; Fabric allows 249

DAILY_IMPORT_WH_MAX = 2_400_000_000  # 100 MW for a day
DailyImport = Annotated[int, msgspec.Meta(ge=0, le=DAILY_IMPORT_WH_MAX)]
PlaceName = Annotated[str, msgspec.Meta(max_length=PLACE_MAX)]


class SupplyConsent(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What the holder of a meter signs: who supplies the meter from a slot on.

    If `offtaker` is absent, the retailer takes the surplus too. `daily_import_wh` is what the meter
    usually draws in a day; a slot in which nothing is measured is estimated as a part of it. Nobody
    may carry the document from `valid_until_s` on, a second of market time.
    """

    area: Id
    channel: PlaceName
    contract: PlaceName
    daily_import_wh: DailyImport = 0
    from_slot: Second
    meter: Id
    offtaker: Id | None = None
    retailer: Id
    v: Literal[1]
    valid_until_s: Second


class Offtake(Row, frozen=True):
    """A retailer's word that it will take a meter's surplus, once, from exactly this slot on."""

    from_slot: Second


class SupplyArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The document that the meter's holder has signed."""

    token: Annotated[str, msgspec.Meta(max_length=TOKEN_MAX)]


class OfftakeArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The meter whose surplus the caller will take, from a slot on."""

    meter: Id
    from_slot: Second


class ClientVatArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The VAT of a meter's holder from a slot on, for what the caller buys from the holder."""

    meter: Id
    from_slot: Second
    status: VatStatus
    rate_ppm: Rate


class SupplyBegun(msgspec.Struct, frozen=True):
    """The event of a supply: who supplies a meter from a slot on, and how that came about.

    `by` is the retailer, or the DSO that assigned the supplier of last resort.
    """

    meter: str
    from_slot: int
    holder: str
    retailer: str
    offtaker: str
    by: str


CONSENTS = Document(SUPPLY_TYP, SupplyConsent, bytes_max=TOKEN_MAX)
OFFTAKES = Table(8, "offtakes", Offtake, ("meter", "offtaker"))


def accept_supply(context: Context, arguments: SupplyArguments) -> Accepted:
    """Supply a meter from an unopened slot on, as its holder has agreed by signature."""
    opened = take(context, CONSENTS, arguments.token)
    consent = opened.payload
    if consent.retailer != context.caller.member:
        raise SUPPLY_NOT_NAMED(meter=consent.meter, retailer=consent.retailer)
    meter = get_meter(context, consent.meter, consent.from_slot)
    if meter.area != consent.area:
        raise METER_AREA_FIXED(meter=consent.meter, area=meter.area)
    version = meter_at(context, meter, consent.meter, consent.from_slot)
    if version.holder != opened.did:
        raise METER_NOT_HELD(meter=consent.meter, did=opened.did)
    offtaker = consent.offtaker or consent.retailer
    supply = Supply(
        holder=opened.did,
        retailer=consent.retailer,
        offtaker=offtaker,
        daily_import_wh=consent.daily_import_wh,
    )
    if starting_at(context, meter, consent.from_slot) == supply:
        return Accepted(consent.meter)
    now_s = market_time_s(context, meter.area)
    if is_expired(consent.valid_until_s, at_s=now_s):
        raise INTENT_EXPIRED(valid_until_s=consent.valid_until_s, now_s=now_s)
    if offtaker != consent.retailer:
        _use_offtake(context, consent.meter, offtaker, consent.from_slot)
    begin_supply(context, meter, consent.from_slot, supply)
    return Accepted(consent.meter)


def agree_to_offtake(context: Context, arguments: OfftakeArguments) -> Accepted:
    """Agree to take a meter's surplus, if a retailer accepts its supply from that very slot on."""
    meter = get_meter(context, arguments.meter, arguments.from_slot)
    require_unopened(context, get_area(context, meter.area), arguments.from_slot)
    offtaker = context.caller.member
    Tariffs(context, meter.area, arguments.from_slot).residual(offtaker)
    offtake = Offtake(from_slot=arguments.from_slot)
    OFFTAKES.put(context, offtake, arguments.meter, offtaker)
    context.emit("offtake_agreed", encode(arguments))
    return Accepted(arguments.meter)


def set_client_vat(context: Context, arguments: ClientVatArguments) -> Accepted:
    """Record the VAT of the holder of a meter whose supply or surplus the caller has taken.

    It holds for what the caller buys from this holder, and so for no other retailer.
    """
    meter = get_meter(context, arguments.meter, arguments.from_slot)
    require_unopened(context, get_area(context, meter.area), arguments.from_slot)
    supply = supplied_at(context, meter, arguments.meter, arguments.from_slot)
    if context.caller.member not in (supply.retailer, supply.offtaker):
        raise NOT_SUPPLIER(meter=arguments.meter, retailer=supply.retailer)
    put_vat(
        context,
        area=meter.area,
        customer=context.caller.member,
        party=supply.holder,
        from_slot=arguments.from_slot,
        status=arguments.status,
        rate_ppm=arguments.rate_ppm,
    )
    context.emit("client_vat_set", encode(arguments))
    return Accepted(arguments.meter)


def starting_at(context: Context, meter: Meter, from_slot: int) -> Supply | None:
    """The supply that begins exactly at a slot; None where none does."""
    if meter.older_supplies and from_slot < meter.supplies[0].from_slot:
        older = OLDER_SUPPLIES.version_at(context, meter.meter, slot=from_slot)
        return older[1].supply if older is not None and older[0] == from_slot else None
    return next((d.value for d in meter.supplies if d.from_slot == from_slot), None)


def begin_supply(context: Context, meter: Meter, from_slot: int, supply: Supply) -> None:
    """Let a supply begin at an unopened slot; a slot at which another begins is refused.

    Without the retailers' prices no slot with this meter could settle.
    """
    require_unopened(context, get_area(context, meter.area), from_slot)
    other = starting_at(context, meter, from_slot)
    if other is not None and other.holder == supply.holder:
        raise SUPPLY_TAKEN(meter=meter.meter, retailer=other.retailer, slot=from_slot)
    tariffs = Tariffs(context, meter.area, from_slot)
    for retailer in (supply.retailer, supply.offtaker):
        tariffs.residual(retailer)
    METERS.put(context, put_supply(context, meter, from_slot, supply), meter.meter)
    begun = SupplyBegun(
        meter=meter.meter,
        from_slot=from_slot,
        holder=supply.holder,
        retailer=supply.retailer,
        offtaker=supply.offtaker,
        by=context.caller.member,
    )
    context.emit("supply_begun", encode(begun))


def _use_offtake(context: Context, meter: str, offtaker: str, from_slot: int) -> None:
    require_role(context, offtaker, "retailer")
    offtake = OFFTAKES.get(context, meter, offtaker)
    if offtake is None or offtake.from_slot != from_slot:
        raise OFFTAKE_MISSING(offtaker=offtaker, meter=meter, slot=from_slot)
    OFFTAKES.delete(context, meter, offtaker)
