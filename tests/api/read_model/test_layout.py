"""Migrations and models say the same, and a rebuild knows every table."""

from __future__ import annotations

from tortoise.migrations.autodetector import MigrationAutodetector

from api.read_model.database import APP, CONNECTION, MIGRATIONS, MODELS, Database
from api.read_model.tables import TABLES
