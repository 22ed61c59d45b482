"""What a data folder's market was drawn from: seed, households, first slot, ledger.

`market.json` holds it. A market of accelerated time begins in the morning, one of real time now.
"""

from __future__ import annotations

import os
import secrets
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from commonwatt.demonstration.cast import SLOT_S, TIME_ZONE
from commonwatt.wiring.ledger_choice import LedgerKind

SPEED_DEFAULT = 90  # a slot of 15 minutes in 10 seconds
SPEED_MAX = 900  # a slot in a second: at more the nodes of one machine are late with their reads
HOUSEHOLDS_DEFAULT = 24
HOUSEHOLDS_MAX = 1_000  # one report carries them all
MORNING_HOUR = 10  # a demonstration begins when the sun is up


class UpRefused(Exception):
    """The market cannot be brought up as asked; the sentence says why and what to do."""


class MarketPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a data folder's market was drawn from."""

    seed: int
    households: int
    first_slot: int
    founded: bool
    ledger: LedgerKind = LedgerKind.EMBEDDED
    v: int = 1


def read_plan(data: Path) -> MarketPlan | None:
    """The plan of a data folder, None for a new one."""
    path = data / "market.json"
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=MarketPlan)
    except msgspec.DecodeError as error:
        raise UpRefused(f"{path} is damaged ({error}); restore it or use another --data.") from None


def write_plan(data: Path, plan: MarketPlan) -> None:
    """Store the plan, whole or not at all."""
    data.mkdir(parents=True, exist_ok=True)
    fresh = data / "market.json.new"
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(plan)))
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(data / "market.json")


def choose_plan(
    data: Path,
    households: int | None,
    speed: int,
    now_s: int,
    ledger: LedgerKind = LedgerKind.EMBEDDED,
) -> MarketPlan:
    """The folder's plan, or a new one that begins now (in real time) or in the morning."""
    plan = read_plan(data)
    if plan is None:
        begin_s = now_s if speed == 1 else _morning_s(now_s)
        first_slot = begin_s - begin_s % SLOT_S + 2 * SLOT_S
        count = HOUSEHOLDS_DEFAULT if households is None else households
        plan = MarketPlan(secrets.randbits(32), count, first_slot, founded=False, ledger=ledger)
        write_plan(data, plan)
    elif households is not None and households != plan.households:
        raise UpRefused(
            f"The market in {data} has {plan.households} households, not {households}; "
            "leave --households out or choose another --data."
        )
    if ledger != plan.ledger:
        raise UpRefused(
            f"The market in {data} runs on the ledger {plan.ledger}, not {ledger}; "
            f"say --ledger {plan.ledger} or choose another --data."
        )
    return plan


def _morning_s(now_s: int) -> int:
    today = datetime.fromtimestamp(now_s, ZoneInfo(TIME_ZONE))
    morning = today.replace(hour=MORNING_HOUR, minute=0, second=0, microsecond=0)
    return int(morning.timestamp())
