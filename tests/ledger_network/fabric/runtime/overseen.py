"""A supervisor of its own process over small shell commands, as a network starts it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from ledger_network.fabric.operations.network import SUPERVISOR
from ledger_network.fabric.runtime.probe import until
from ledger_network.fabric.runtime.processes import (
    Process,
    Processes,
    Running,
    Wanted,
    read_processes,
    write_whole,
)

WITHIN_S = 40.0  # shared machines are slow at times; nothing here takes so long by itself
LIVES = (
    "trap 'echo {name} ended >>ends; exit 0' TERM; echo {name} there; while :; do sleep 0.1; done"
)
"""A script that says when it is there and, in the file `ends`, when it was asked to end."""


class Overseen:
    """A folder with a supervisor; on leaving, it is ended with all that it runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._wanted = folder / "wanted.json"
        self._processes = folder / "processes.json"
        self.supervisor: subprocess.Popen[bytes] | None = None

    def want(self, **scripts: str) -> None:
        """Write down what is wanted: shell scripts by name, `_` in a name standing for `-`."""
        named = {name.replace("_", "-"): script for name, script in scripts.items()}
        self.want_exactly([self.script(name, text) for name, text in named.items()])

    def script(self, name: str, text: str) -> Wanted:
        """A shell script as something wanted."""
        command = ["/bin/sh", "-c", text.format(name=name)]
        return self.program(name, command)

    def program(self, name: str, command: list[str]) -> Wanted:
        """A command as something wanted."""
        path = {"PATH": "/usr/bin:/bin"}
        return Wanted(name, command, path, str(self.folder), str(self.log(name)))

    def want_exactly(self, wanted: list[Wanted]) -> None:
        """Write down what is wanted."""
        write_whole(self._wanted, msgspec.json.encode(wanted))

    def start(self, *more: str) -> Self:
        """Start the supervisor."""
        self.supervisor = subprocess.Popen(
            [sys.executable, "-m", SUPERVISOR, self._wanted, self._processes, *more],
            stderr=subprocess.PIPE,
        )
        return self

    def log(self, name: str) -> Path:
        """Where a script's output goes."""
        return self.folder / "logs" / name / "log"

    def ends(self) -> list[str]:
        """Who was asked to end, in the order in which they did."""
        path = self.folder / "ends"
        return path.read_text().splitlines() if path.exists() else []

    def processes(self) -> Processes:
        """What the supervisor says."""
        found = read_processes(self._processes)
        assert found is not None
        return found

    def tell(self, number: signal.Signals) -> None:
        """Send the supervisor a signal."""
        assert self.supervisor is not None
        self.supervisor.send_signal(number)

    def wait_end(self) -> tuple[int, str]:
        """Wait for the supervisor's end: its exit code and what it said."""
        assert self.supervisor is not None
        _, said = self.supervisor.communicate(timeout=WITHIN_S)
        return self.supervisor.returncode, said.decode()

    def wait_there(self, *names: str) -> list[Process]:
        """Wait until these say in their logs that they are there, and run; their processes."""

        def there() -> bool:
            return all(
                self.log(name).exists() and f"{name} there" in self.log(name).read_text()
                for name in names
            )

        self.wait("they are not there", there)
        return [self.wait_for(name, lambda one: one.process is not None) for name in names]

    def wait_for(self, name: str, holds: Callable[[Running], bool]) -> Process:
        """Wait until a condition holds of what is said of one; its process, or the supervisor's."""

        def check() -> bool:
            found = read_processes(self._processes)
            one = found.named(name) if found else None
            return one is not None and holds(one)

        self.wait(f"{name} is not so", check)
        one = self.processes().named(name)
        assert one is not None
        return one.process or self.processes().supervisor

    def wait(self, what: str, holds: Callable[[], bool]) -> None:
        """Wait until a condition holds."""

        async def missing() -> str:
            return "" if holds() else what

        asyncio.run(until("the supervisor", missing, within_s=WITHIN_S))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.supervisor is None:
            return
        if self.supervisor.poll() is None:
            self.supervisor.terminate()
            try:
                self.supervisor.wait(WITHIN_S)
            except subprocess.TimeoutExpired:
                self.supervisor.kill()
                self.supervisor.wait()
        if self.supervisor.stderr is not None:
            self.supervisor.stderr.close()
