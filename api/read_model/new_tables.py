"""A migration that makes tables and changes none, so it needs no state before it."""

from __future__ import annotations

from tortoise import migrations
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.migrations.schema_generator.state import State


class NewTables(migrations.Migration):
    """Makes all its tables at once. Its operations are of the kind `CreateModel` only."""

    async def apply(
        self,
        state: State,
        *,
        dry_run: bool = False,
        schema_editor: BaseSchemaEditor | None = None,
        collect_sql: bool = False,
    ) -> State:
        """Make the tables, without a copy of the state of all models before each of them.

        A new table needs no earlier state, and the copies took most of an API's first start.
        """
        if dry_run or collect_sql or schema_editor is None:
            return await super().apply(
                state, dry_run=dry_run, schema_editor=schema_editor, collect_sql=collect_sql
            )
        for operation in self.operations:
            operation.state_forward(self.app_label, state)
            await operation.database_forward(self.app_label, state, state, schema_editor)
        return state
