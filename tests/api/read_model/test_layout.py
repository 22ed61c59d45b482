"""Migrations and models say the same, on both databases, and a rebuild knows every table."""

from __future__ import annotations

import asyncio

from tortoise.context import TortoiseContext
from tortoise.migrations.autodetector import MigrationAutodetector

from api.read_model.database import APP, CONNECTION, MIGRATIONS, MODELS, Database
from api.read_model.tables import TABLES


def test_migrations_lead_to_the_models(sqlite: str) -> None:
    async def work() -> list[object]:
        app = {"models": MODELS, "migrations": MIGRATIONS, "default_connection": CONNECTION}
        async with TortoiseContext() as context:
            config = {"connections": {CONNECTION: sqlite}, "apps": {APP: app}}
            await context.init(config=config, init_connections=False)
            assert context.apps is not None
            return list(await MigrationAutodetector(context.apps, {APP: app}).changes())

    assert asyncio.run(work()) == []


def test_a_rebuild_drops_every_table_there_is(url: str) -> None:
    async def work() -> set[str]:
        database = await Database.open(url)
        source = "sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        if database.dialect == "postgres":
            source = "(SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public') AS t"
        rows = await database.rows(f"SELECT name FROM {source}")  # noqa: S608 no stranger's text
        await database.close()
        return {name for (name,) in rows}

    assert asyncio.run(work()) == {*TABLES, "tortoise_migrations"}


def test_opening_again_changes_nothing(url: str) -> None:
    async def work() -> None:
        for _ in range(3):
            database = await Database.open(url)
            await database.close()

    asyncio.run(work())


def test_sqlite_is_in_wal_mode(sqlite: str) -> None:
    async def work() -> str:
        database = await Database.open(sqlite)
        ((mode,),) = await database.rows("PRAGMA journal_mode")
        await database.close()
        return mode

    assert asyncio.run(work()) == "wal"
