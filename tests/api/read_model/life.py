"""A market's life in which every kind of event happens, and what the tables hold of it."""

from __future__ import annotations

from api.read_model.database import Database
from api.read_model.tables import TABLES
from chaincode.area.rules import MarketRules
from chaincode.area.zones import PauseArguments
from tests.contract.stage.cast import DSO, EAST, SLOT, SLOT_S, WEST
from tests.contract.stage.market import Market

NEXT = SLOT + SLOT_S
TRADERS = "SBCPL"
ORDERS = """
    who  id    side  price   wh   expires
    S    s     sell  100000  500  -
    S    s     sell  120000  200  -
    S    late  sell  300000  500  60
    B    b     buy   150000  400  -
    B    low   buy    50000  500  -
    C    gone  buy   100000  500  -
    C    less  buy   160000  300  -
    P    poor  buy   150000  500  -
    L    lock  buy   150000  100  -
    """
LATER = """
    who  id    side  price   wh
    S    n     sell  100000  300
    B    n     buy   100000  300
    """


def trade_and_settle(market: Market) -> None:
    """One slot from its first order to its settlement on an estimate of B."""
    market.traders("S", "B", "C", "L")
    market.trader("P", zone=EAST, deposit_nano=1)
    market.submit("pause_zone", PauseArguments(WEST, "works"))
    market.submit("resume_zone", PauseArguments(WEST, "works"))
    market.place(ORDERS)
    assert market.cancel("C", "gone") == "CANCELLED"
    assert market.amend("C", "less", 1, [(160_000, 200)]) == "AMENDED"
    market.act("lock", "L", 1)
    market.clear()
    market.debit("C", 1_000)
    market.dispute("raise", "S", 0)
    market.report("meter import export\nS 0 600", others=False)
    deadline_s = MarketRules(time_zone="UTC", offsets=[(0, 0)]).report_deadline_s
    market.pass_until(SLOT + SLOT_S + deadline_s)
    market.settle()


def correct(market: Market) -> None:
    """The readings that were missing come, and the DSO validates another of one that was there."""
    market.report("meter import export\nB 450 0\nC 200 0", others=False)
    market.correct()
    market.validate(market.leaf("S", export_wh=-50))
    market.correct()


def whole_life(market: Market) -> None:
    """All of it, and a second slot that is cleared."""
    trade_and_settle(market)
    correct(market)
    market.dispute("withdraw", "S", 0)
    market.act("unlock", "L", 2)
    for slot in range(NEXT, market.clock.now_s + 7_200, SLOT_S):
        if market.gate_s(slot) > market.clock.now_s:
            market.place(LATER, slot=slot)
            market.clear(slot)
            return
        market.clear(slot)


async def tables_of(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Every row that follows from the ledger, without the numbers that a database gives them."""
    found: dict[str, list[tuple[object, ...]]] = {}
    for table in TABLES:
        if table == "meter_health":
            continue
        columns = await columns_of(database, table)
        text = f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608 names are ours
        found[table] = sorted(
            (tuple(_plain(value) for value in row) for row in await database.rows(text)), key=repr
        )
    return found


async def columns_of(database: Database, table: str) -> list[str]:
    """The columns of a table but its own numbering."""
    if database.dialect == "sqlite":
        rows = await database.rows("SELECT name FROM pragma_table_info(?)", table)
    else:
        rows = await database.rows(
            "SELECT column_name FROM information_schema.columns WHERE table_name = ?", table
        )
    return sorted(name for (name,) in rows if name != "id")


def _plain(value: object) -> object:
    return int(value) if isinstance(value, bool) else value


__all__ = ["DSO", "NEXT", "TRADERS", "columns_of", "correct", "tables_of", "whole_life"]
