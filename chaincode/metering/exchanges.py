"""Exchanges of meters: the slots in which a device was replaced, and its registers then.

Rules of the contract: "Registers, not differences", 6. The DSO gives the closing registers of the
old device and the opening registers of the new one as transient data; they are private, as all
registers are. The public row of a meter holds only the slots.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, NamedTuple

import msgspec

from chaincode.area.clock import market_time_s
from chaincode.area.finality import require_not_final
from chaincode.area.rules import rules_at
from chaincode.area.zones import Area, own_area, require_slot_start
from chaincode.context import Accepted, Context
from chaincode.errors import (
    EXCHANGE_EXISTS,
    EXCHANGES_TOO_MANY,
    LEAVES_MISSING,
    LEAVES_UNREADABLE,
    READING_PURGED,
    REPORT_EARLY,
)
from chaincode.metering.measured import DAYS_KEPT, MeasuredBoundaries
from chaincode.metering.meters import Meter, get_meter, meter_at
from chaincode.metering.powers import certified_powers, require_forwards, require_power
from chaincode.metering.readings import COLLECTION, readings_at
from chaincode.metering.registers import Exchange, Measured, Registers, Stretch
from chaincode.state import Count, Hex32, Id, Row, Second, Table, encode, slot_part
from chaincode.units import SECONDS_PER_DAY
from identity.jws import TokenRefused, decode_payload

FOR_EVER = 2**62  # after every second
EXCHANGES_MAX = 50  # of one meter within its final deadline; a device lasts for years
TRANSIENT_EXCHANGE = "exchange"


class ExchangeSlots(Row, frozen=True, gc=False):
    """The slots in which a meter's device was replaced, oldest first."""

    slots: Annotated[list[Second], msgspec.Meta(max_length=EXCHANGES_MAX)]


class ExchangeRegisters(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The registers of an exchange, Wh: of the old device at its end, of the new at its start."""

    closing_export_wh: Count
    closing_generation_wh: Count | None
    closing_import_wh: Count
    opening_export_wh: Count
    opening_generation_wh: Count | None
    opening_import_wh: Count
    salt: Hex32
    v: int = 1

    def in_slot(self, slot: int) -> Exchange:
        """The exchange, as the energy of slots is computed from it."""
        return Exchange(
            slot,
            Registers(self.closing_import_wh, self.closing_export_wh, self.closing_generation_wh),
            Registers(self.opening_import_wh, self.opening_export_wh, self.opening_generation_wh),
        )


EXCHANGES = Table(57, "exchanges", ExchangeSlots, ("meter",))

_registers = msgspec.json.Decoder(ExchangeRegisters)


def exchange_key(meter: str, slot: int) -> str:
    """The key of the registers of an exchange in the collection of readings."""
    return f"{meter}/exchange/{slot_part(slot)}"


class ExchangeArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The meter whose device was replaced, and the slot in which that happened."""

    meter: Id
    slot: Second


class MeterExchanged(msgspec.Struct, frozen=True):
    """The event of an exchange.

    It changes the energy of slots from `first_slot` on and before `end_s`, or up to now if `end_s`
    is None; those that have settled are due a correction.
    """

    area: str
    meter: str
    slot: int
    first_slot: int
    end_s: int | None


def exchange_meter(context: Context, arguments: ExchangeArguments) -> Accepted:
    """Record that a meter's device was replaced; the registers travel as transient data.

    The meter's DSO records it, once per slot, until the slot is final. The closing registers may
    not lie below those measured before the slot's end, nor the opening registers above those
    measured after it, and neither farther from them than the certified power allows.
    """
    meter, slot = arguments.meter, arguments.slot
    row = get_meter(context, meter, slot)
    area = own_area(context, row.area)
    meter_at(context, row, meter, slot)
    require_slot_start(area, slot)
    registers = _transient_registers(context)
    key = exchange_key(meter, slot)
    collection = context.private(COLLECTION)
    known = EXCHANGES.get(context, meter)
    slots = [] if known is None else known.slots
    if slot in slots:
        if collection.get(key) == encode(registers):
            return Accepted(meter)
        raise EXCHANGE_EXISTS(meter=meter, slot=slot)
    _check_time(context, area, slot)
    before, after = _check_registers(context, area, row, registers.in_slot(slot))
    if before is not None and after is not None:
        require_not_final(context, area, before)  # the energy of this slot, too, would change
    kept = [one for one in slots if one >= slot - DAYS_KEPT * SECONDS_PER_DAY]
    if len(kept) >= EXCHANGES_MAX:
        raise EXCHANGES_TOO_MANY(meter=meter, limit=EXCHANGES_MAX)
    EXCHANGES.put(context, ExchangeSlots(slots=sorted([*kept, slot])), meter)
    collection.put(key, encode(registers))
    event = MeterExchanged(area.area, meter, slot, slot if before is None else before, after)
    context.emit("meter_exchanged", encode(event))
    return Accepted(meter)


def _transient_registers(context: Context) -> ExchangeRegisters:
    data = context.transient.get(TRANSIENT_EXCHANGE)
    if data is None:
        raise LEAVES_MISSING(name=TRANSIENT_EXCHANGE)
    try:
        return decode_payload(data, _registers)
    except TokenRefused as refused:
        raise LEAVES_UNREADABLE(reason=refused.sentence) from None


def _check_time(context: Context, area: Area, slot: int) -> None:
    now_s = market_time_s(context, area.area)
    if now_s < slot:
        raise REPORT_EARLY(boundary=slot, now_s=now_s)
    require_not_final(context, area, slot)


def _check_registers(
    context: Context, area: Area, row: Meter, exchange: Exchange
) -> tuple[int | None, int | None]:
    """Hold an exchange against the registers of the same devices; the boundaries around.

    Neither device may run back or move faster than the certified power allows. Registers that are
    measured later are held against the exchange (`plausible.py`).
    """
    slot, meter = exchange.slot, row.meter
    end = slot + area.slot_s
    index = MeasuredBoundaries(context, COLLECTION, slot_s=area.slot_s)
    index.load([meter], first=slot, last=end)
    before, after = index.last_until(meter, slot), index.next_from(meter, end)
    exchanges = MeterExchanges(context)
    exchanges.load([meter])
    old = exchanges.between(meter, 0 if before is None else before, slot)
    new = exchanges.between(meter, end, FOR_EVER if after is None else after)
    shown = {at: _shown(context, meter, at) for at in (before, after) if at is not None}
    passed: list[Stretch] = []
    if old or before is not None:
        start = Measured(old[-1].slot, old[-1].opening) if old else shown[before or 0].measured
        passed.append(Stretch(start.boundary, slot, exchange.closing.since(start.registers)))
    if new or after is not None:
        last = (
            Measured(new[0].slot + area.slot_s, new[0].closing)
            if new
            else shown[after or 0].measured
        )
        passed.append(
            Stretch(slot, last.boundary - area.slot_s, last.registers.since(exchange.opening))
        )
    require_forwards(meter, slot, passed)
    if passed:
        tolerance_ppm = rules_at(context, area.area, slot).plausible_ppm
        powers = certified_powers(
            context, row, first_s=passed[0].first, tolerance_ppm=tolerance_ppm
        )
        steps_wh = 2 * max((one.resolution_wh for one in shown.values()), default=1)
        require_power(meter, passed, powers, slot_s=area.slot_s, steps_wh=steps_wh)
    return before, after


class _Shown(NamedTuple):
    """What a device showed at a measured boundary, and its resolution, Wh."""

    measured: Measured
    resolution_wh: int


def _shown(context: Context, meter: str, boundary: int) -> _Shown:
    """The registers at a measured boundary."""
    (reading,) = readings_at(context, [(boundary, meter)])
    if reading is None:
        raise READING_PURGED(meter=meter, boundary=boundary)
    return _Shown(Measured(boundary, reading.registers), reading.leaf.resolution_wh)


class MeterExchanges:
    """The exchanges of some meters; registers are read only where a stretch contains an exchange."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._slots: dict[str, list[int]] = {}

    def load(self, meters: Iterable[str]) -> None:
        """Read the slots of the exchanges of `meters`."""
        missing = [meter for meter in dict.fromkeys(meters) if meter not in self._slots]
        rows = EXCHANGES.get_many(self._context, [(meter,) for meter in missing])
        for meter, row in zip(missing, rows, strict=True):
            self._slots[meter] = [] if row is None else row.slots

    def between(self, meter: str, first: int, end: int) -> Sequence[Exchange]:
        """The exchanges of a loaded meter in slots from `first` on and before `end`, in order."""
        slots = [slot for slot in self._slots[meter] if first <= slot < end]
        if not slots:
            return ()
        keys = [exchange_key(meter, slot) for slot in slots]
        values = self._context.private(COLLECTION).get_many(keys)
        found: list[Exchange] = []
        for slot, value in zip(slots, values, strict=True):
            if value is None:
                raise READING_PURGED(meter=meter, boundary=slot)
            found.append(_registers.decode(value).in_slot(slot))
        return found
