"""How numbers are shown to people: kWh, ct/kWh, currency, local times.

Exact integers stay exact; only what is printed is cut to the decimals people read.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

NANO = Decimal(10**9)


def kwh(energy_wh: int) -> str:
    """Wh as kWh with three decimals."""
    return f"{Decimal(energy_wh) / 1000:,.3f}"


def cents(price: int | None) -> str:
    """Micro/kWh as ct/kWh with two decimals; a dash where there is no price."""
    return "-" if price is None else f"{Decimal(price) / 10_000:.2f}"


def money(amount_nano: int) -> str:
    """Nano as currency with four decimals and its sign."""
    return f"{Decimal(amount_nano) / NANO:+,.4f}"


def span(slot: int, slot_s: int, time_zone: ZoneInfo) -> str:
    """A slot as a local range, such as 12:15-12:30."""
    return f"{_local(slot, time_zone):%H:%M}-{_local(slot + slot_s, time_zone):%H:%M}"


def moment(second: int, time_zone: ZoneInfo) -> str:
    """A second as local day and time."""
    return f"{_local(second, time_zone):%a %Y-%m-%d %H:%M:%S}"


def _local(second: int, time_zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(second, UTC).astimezone(time_zone)
