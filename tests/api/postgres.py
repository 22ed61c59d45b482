"""A real PostgreSQL for tests: started in a folder of its own, reached through its socket alone.

PostgreSQL refuses to run as root, so where the tests do it runs as another user of the system.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

INSTALLED = Path("/usr/lib/postgresql")
USERS = ("postgres", "nobody")  # who it runs as where the tests run as root
SETTINGS = ("listen_addresses=", "fsync=off", "synchronous_commit=off", "max_connections=50")


class Postgres:
    """A server that runs; every database that is asked for is a new, empty one."""

    def __init__(self, programs: Path, folder: Path, user: str | None) -> None:
        self._programs = programs
        self._folder = folder
        self._user = user
        self._numbers = count(1)

    def new_database(self) -> str:
        """The address of an empty database."""
        name = f"test_{next(self._numbers)}"
        self.run("createdb", "-h", str(self._folder), "-U", "tester", name)
        return f"postgres://tester@/{name}?host={self._folder}"

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs; raises with what it said when it fails."""
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(
            command,
            user=self._user,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"


@contextmanager
def running_postgres() -> Generator[Postgres]:
    """A server as long as the block is not left."""
    found = sorted(INSTALLED.glob("*/bin"), key=lambda path: int(path.parent.name))
    assert found, f"PostgreSQL is needed: there is none in {INSTALLED}"
    user = _unprivileged() if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="commonwatt-pg-"))
    if user is not None:
        shutil.chown(folder, user)
    server = Postgres(found[-1], folder, user)
    data, log = str(folder / "data"), str(folder / "log")
    try:
        server.run("initdb", "-D", data, "-U", "tester", "-A", "trust", "-N", "-E", "UTF8")
        options = " ".join(f"-c {setting}" for setting in SETTINGS)
        server.run("pg_ctl", "-D", data, "-l", log, "-w", "-o", f"-k {folder} {options}", "start")
        try:
            yield server
        finally:
            server.run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _unprivileged() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in USERS if name in known)
