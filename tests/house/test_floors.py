"""The floors of the house: import-linter, with our contracts, finds what they forbid.

Each sample is a small tree with the project's own table of contracts, linted as the project is.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import PACKAGES, ROOT

MODULES = (
    "ledger_network/port.py",
    "ledger_network/embedded/engine.py",
    "chaincode/orders/handlers.py",
    "chaincode/settlement/run.py",
    "chaincode/area/rules.py",
    "chaincode/state.py",
    "api/server/app.py",
    *(f"api/graphql/{name}.py" for name in ("endpoint", "sockets", "answers", "document")),
    *(f"api/graphql/{name}.py" for name in ("pages", "loaders", "fields", "context", "scalars")),
    "api/graphql/guard/admission.py",
    "api/graphql/fast_path/list_plan.py",
    "api/sign_in/session.py",
    "api/access/table.py",
    "api/services.py",
    "api/live/projection.py",
    "api/features/events.py",
    "api/features/reads.py",
    *(f"api/features/trades/{name}.py" for name in ("types", "reads", "writes", "projection")),
    "api/read_model/database.py",
)


def contracts() -> str:
    """The table of import-linter in the project file."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return text[text.index("[tool.importlinter]") :]


def lint(folder: Path, imports: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Lint a tree of our packages in which each named file holds one import."""
    for package in (*PACKAGES, "chaincode/auctions", "chaincode/shim", "ledger_network/embedded"):
        (folder / package).mkdir(parents=True, exist_ok=True)
        (folder / package / "__init__.py").touch()
    for path, statement in {**dict.fromkeys(MODULES, ""), **imports}.items():
        room = (folder / path).parent
        room.mkdir(parents=True, exist_ok=True)
        (room / "__init__.py").touch()
        (folder / path).write_text(statement + "\n", encoding="utf-8")
    (folder / "pyproject.toml").write_text(contracts(), encoding="utf-8")
    script = "import sys; from importlinter.cli import lint_imports_command as run; sys.exit(run())"
    return subprocess.run(
        [sys.executable, "-c", script, "--no-cache", "--no-logo"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("path", "statement"),
    [
        ("identity/keys.py", "import chaincode"),
        ("chaincode/orders/handlers.py", "import ledger_network.port"),
        ("ledger_network/port.py", "import api"),
        ("api/reads.py", "import meter_oracle"),
        ("api/reads.py", "import commonwatt"),
        ("api/reads.py", "import ledger_network.embedded.engine"),
        ("meter_oracle/agreement/consensus.py", "from ledger_network import embedded"),
        ("chaincode/orders/handlers.py", "import chaincode.settlement.run"),
        ("chaincode/auctions/uniform.py", "import chaincode.area.rules"),
        ("chaincode/rumours/talk.py", "import chaincode.state"),
        ("api/read_model/database.py", "import api.features.trades.reads"),
        ("api/features/trades/reads.py", "import api.access.table"),
        ("api/features/trades/projection.py", "import api.features.trades.types"),
        ("api/features/trades/types.py", "import api.graphql.document"),
        ("api/live/projection.py", "import api.features.trades.types"),
        ("api/access/table.py", "import api.sign_in.session"),
        ("api/graphql/document.py", "import api.server.app"),
        ("chaincode/orders/handlers.py", "import time"),
        ("chaincode/orders/handlers.py", "def place():\n    from random import choice"),
        ("chaincode/auctions/uniform.py", "import os.path"),
        ("chaincode/orders/handlers.py", "from decimal import Decimal"),
        ("chaincode/orders/handlers.py", "import numpy"),
        ("identity/keys.py", "import numpy as np"),
    ],
)
def test_forbidden_import_is_found(tmp_path: Path, path: str, statement: str) -> None:
    answer = lint(tmp_path, {path: statement})

    assert answer.returncode == 1, answer.stdout + answer.stderr
    assert "BROKEN" in answer.stdout


def test_lawful_imports_pass(tmp_path: Path) -> None:
    answer = lint(
        tmp_path,
        {
            "api/reads.py": "import ledger_network.port, chaincode.orders.handlers, identity, time",
            "api/server/app.py": "import api.graphql.document, api.features.trades.writes",
            "api/graphql/document.py": "import api.features.trades.types, api.graphql.fields",
            "api/features/trades/types.py": "import api.features.trades.reads, api.access.table",
            "api/live/projection.py": "import api.features.events, api.read_model.database",
            "api/features/events.py": "import api.features.trades.projection",
            "meter_oracle/agreement/consensus.py": "from ledger_network.port import Ledger",
            "ledger_network/embedded/engine.py": "import os, chaincode.orders.handlers, ledger_network.port",
            "chaincode/orders/handlers.py": "import identity, hashlib",
            "chaincode/settlement/run.py": "import chaincode.orders.handlers, chaincode.area.rules",
            "chaincode/shim/serving/server.py": "import socket, asyncio, chaincode.orders.handlers",
            "chaincode/auctions/uniform.py": "import numpy",
            "identity/keys.py": "import secrets",
            "commonwatt/cli.py": "import api, meter_oracle, ledger_network.embedded.engine, numpy",
        },
    )

    assert answer.returncode == 0, answer.stdout + answer.stderr
