"""Formats numbers for people: kWh, ct/kWh, currency, local times.

Values stay exact integers; only the printed text is cut to a few decimals.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

NANO = Decimal(10**9)


def kwh(energy_wh: int) -> str:
    """Return Wh as kWh with three decimals."""
    return f"{Decimal(energy_wh) / 1000:,.3f}"


def cents(price: int | None) -> str:
    """Return micro-currency per kWh as ct/kWh with two decimals; a dash without a price."""
    return "-" if price is None else f"{Decimal(price) / 10_000:.2f}"


def money(amount_nano: int) -> str:
    """Return nano-currency as currency with four decimals and a sign."""
    return f"{Decimal(amount_nano) / NANO:+,.4f}"


def span(slot: int, slot_s: int, time_zone: ZoneInfo) -> str:
    """Return a slot as a range of local time, such as 12:15-12:30."""
    return f"{_local(slot, time_zone):%H:%M}-{_local(slot + slot_s, time_zone):%H:%M}"


def moment(second: int, time_zone: ZoneInfo) -> str:
    """Return a second as local day and time."""
    return f"{_local(second, time_zone):%a %Y-%m-%d %H:%M:%S}"


def _local(second: int, time_zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(second, UTC).astimezone(time_zone)
