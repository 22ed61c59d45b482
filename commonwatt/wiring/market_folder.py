"""Stores a market's plan and kind of ledger in its data folder, and whether it is founded.

All of this is in `market.json`. The layout of the folder has a number. A folder with an older
layout is refused, because an older contract wrote its ledger.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from commonwatt.demonstration.cast import HOMES_EMPTY
from commonwatt.demonstration.market_plan import HOUSEHOLDS_DEFAULT, MarketPlan, make_plan
from commonwatt.wiring.ledger_choice import LedgerKind

FILE = "market.json"
LAYOUT = 2


class UpRefused(Exception):
    """The market cannot be brought up as asked; the sentence says why and what to do."""


class KeptMarket(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The market of a data folder; `v` is the folder's layout."""

    plan: MarketPlan
    ledger: LedgerKind
    founded: bool = False
    v: int = LAYOUT


class _Layout(msgspec.Struct, frozen=True):
    v: int


def read_market(data: Path) -> KeptMarket | None:
    """Return the market of a data folder, None for a new folder. Raises `UpRefused`."""
    path = data / FILE
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        if _holds_ledger(data):
            raise UpRefused(
                f"{data} holds a ledger and no {FILE}; restore that file or choose another --data."
            ) from None
        return None
    except OSError as error:
        raise UpRefused(
            f"{path} cannot be read ({error.strerror}); choose another --data."
        ) from None
    try:
        layout = msgspec.json.decode(text, type=_Layout).v
        if layout != LAYOUT:
            raise UpRefused(
                f"{data} was made by another version of Commonwatt (layout {layout}, this one has "
                f"{LAYOUT}); choose another --data, or remove {data} to found a new market there."
            )
        return msgspec.json.decode(text, type=KeptMarket)
    except msgspec.DecodeError as error:
        raise UpRefused(
            f"{path} is damaged ({error}); restore it or choose another --data."
        ) from None


def _holds_ledger(data: Path) -> bool:
    """Return whether the folder has a ledger; a network's nodes make their data at their start."""
    return (data / "ledger").exists() or any((data / "network").glob("nodes/*/data"))


def keep_market(data: Path, market: KeptMarket) -> None:
    """Write `market.json` completely or not at all. Raises `UpRefused`."""
    fresh = data / f"{FILE}.new"
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)  # all keys follow from the seed
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(market)))
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        fresh.replace(data / FILE)
    except OSError as error:
        raise UpRefused(
            f"{data} cannot be written ({error.strerror}); choose another --data."
        ) from None


def choose_market(
    data: Path,
    households: int | None,
    speed: int,
    now_s: int,
    ledger: LedgerKind = LedgerKind.EMBEDDED,
) -> KeptMarket:
    """Return the folder's market, or store a new market in it. Raises `UpRefused`."""
    market = read_market(data)
    if market is None:
        count = HOUSEHOLDS_DEFAULT if households is None else households
        market = KeptMarket(make_plan(count, speed, now_s, empty=HOMES_EMPTY), ledger)
        keep_market(data, market)
        return market
    if households is not None and households != market.plan.households:
        raise UpRefused(
            f"The market in {data} has {market.plan.households} households, not {households}; "
            "leave --households out or choose another --data."
        )
    if ledger != market.ledger:
        raise UpRefused(
            f"The market in {data} runs on the ledger {market.ledger}, not {ledger}; "
            f"say --ledger {market.ledger} or choose another --data."
        )
    return market
