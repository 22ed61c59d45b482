"""Who and what a scenario's market is made of: names, keys, seeds, rules, a clock set by hand.

Every trader's key is drawn from its name, so a scenario is the same every time. The engine under
the market comes from a fixture; scenarios never learn which it is.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from hashlib import sha256
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from chaincode.area.fees import FeeRow
from chaincode.area.rules import MarketRules
from chaincode.area.tariffs import ResidualPrices
from identity.did import did_key
from identity.keys import PrivateKey
from ledger_network.port import Ledger, Receipt

T = TypeVar("T")

AREA, ROOT, EAST, WEST = "area", "root", "east", "west"
DSO, OTHER_DSO, R1, R2, ORACLE, REGULATOR = "Dso", "OtherDso", "R1", "R2", "Oracle", "Reg"
GUEST = "Guest"  # a member of the ledger that the contract does not know as an organisation
MEMBERS = (DSO, OTHER_DSO, R1, R2, ORACLE, REGULATOR, GUEST)
SLOT_S = 900
SLOT = 1_797_724_800  # 2026-12-20 00:00 UTC, a slot of the rules' own example
START_S = SLOT - 7_200
OPENS_S = 6_600  # the first slot opens ten minutes after the founding, which posts its terms
CHAIN = 50
MILLION = 1_000_000
DEPOSIT_NANO = 10_000 * MILLION


class Clock:
    """Seconds UTC, set by hand."""

    def __init__(self, now_s: int) -> None:
        self.now_s = now_s

    def __call__(self) -> int:
        return self.now_s


class Call(NamedTuple):
    """A transaction, who submits it, and when by the clock."""

    name: str
    arguments: msgspec.Struct
    member: str
    at_s: int


class TestedLedger(Ledger, Protocol):
    """A ledger that can tell the digest of its public state, for a scenario to compare."""

    async def state_hash(self) -> str:
        """SHA-256 of the public state, as far as the contract lets rows count."""
        ...

    async def overtake(self, clock: Clock, first: Call, *others: Call) -> Receipt:
        """Simulate `first`, commit the others, then let `first` be committed; its receipt."""
        ...

    async def check_end(self) -> None:
        """Check what holds at the end of every scenario on this engine."""
        ...


class Engine(Protocol):
    """How a fixture opens new ledgers for markets, and the event loop that they live in."""

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of asynchronous work."""
        ...

    async def open(self, clock: Clock) -> TestedLedger:
        """A new ledger, on which nothing has happened."""
        ...

    @property
    def quick(self) -> Engine:
        """An engine for hundreds of transactions, whose state is then copied to this one."""
        ...


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What a scenario sets of the market; everything else is the default."""

    market: MarketRules = MarketRules(time_zone="UTC", offsets=[(0, 0)], opens_s=OPENS_S)
    fees: Sequence[FeeRow] = ()
    prices: ResidualPrices = ResidualPrices(import_price=250_000, export_price=60_000)
    retailer_vat_ppm: int = 0
    root_level: int = 5
    zone_level: int = 7


def market_rules(**changed: object) -> Rules:
    """The default rules with some market rules changed."""
    return Rules(market=msgspec.structs.replace(Rules().market, **changed))


def key_of(name: str) -> PrivateKey:
    """The key that belongs to a name."""
    return PrivateKey.from_seed(sha256(name.encode()).digest())


def did_of(name: str) -> str:
    """The DID that belongs to a name."""
    return did_key(key_of(name).public)


def seeds(origin: bytes = b"seed") -> list[str]:
    """A hash chain in the order of its revealing; the first is the anchor."""
    links = [sha256(origin).digest()]
    for _ in range(CHAIN):
        links.append(sha256(links[-1]).digest())
    return [link.hex() for link in reversed(links)]


def rows_of(table: str) -> list[dict[str, str]]:
    """The rows of an aligned text table, by the names in its first line."""
    lines = [line.split() for line in table.strip().splitlines()]
    return [dict(zip(lines[0], cells, strict=True)) for cells in lines[1:]]


def lines_of(table: str) -> list[str]:
    """The rows of a table below its first line, single-spaced, to compare with an answer."""
    return [" ".join(line.split()) for line in table.strip().splitlines()[1:]]


def nano_of(text: str) -> int:
    """An amount in nano; `M` behind it stands for a million of them, exactly."""
    if not text.endswith("M"):
        return int(text)
    sign = -1 if text.startswith("-") else 1
    whole, _, parts = text.strip("-M").partition(".")
    return sign * (int(whole) * MILLION + int(parts.ljust(6, "0")))


def amounts_of(table: str) -> dict[str, int]:
    """A table with the columns account, nano as amounts by account."""
    return {row["account"]: nano_of(row["nano"]) for row in rows_of(table)}
