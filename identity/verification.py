"""Checking many signatures: a few in the calling process, many in one process per core.

Threads would not help, because each check needs the interpreter's lock. The processes are started
when they are first needed and hold only the keys that they have checked. If the processes die, the
calling process does the checks, and new processes are started next time. The answer is the same in
all cases.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import starmap
from multiprocessing import get_context

from identity.keys import SignatureCheck, verify_many

INLINE_MAX = 48  # some 4 ms of checks; sending fewer to a process costs more than it saves
CHUNK_MIN = 24


class Verification:
    """Checks signatures for simulations; safe to use from several threads."""

    def __init__(self, workers: int | None = None) -> None:
        """Set the number of processes; None is one per core that this process may use."""
        self._workers = workers or len(os.sched_getaffinity(0))
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._closed = False

    def verify_many(self, checks: Sequence[SignatureCheck]) -> list[bool]:
        """Whether each signature is valid, in the order given."""
        if len(checks) <= INLINE_MAX or self._workers < 2:
            return verify_many(checks)
        pool = self._started()
        if pool is None:
            return verify_many(checks)
        size = max(CHUNK_MIN, -(-len(checks) // (2 * self._workers)))
        plain = [tuple(check) for check in checks]  # tuples are pickled in a quarter of the time
        chunks = [plain[at : at + size] for at in range(0, len(plain), size)]
        try:
            return [held for part in pool.map(_verify_plain, chunks) for held in part]
        except BrokenProcessPool:
            self._forget(pool)
            return verify_many(checks)

    def close(self) -> None:
        """Stop the processes; from now on the calling thread does the checks."""
        with self._lock:
            pool, self._pool, self._closed = self._pool, None, True
        if pool is not None:
            pool.shutdown()

    def _started(self) -> ProcessPoolExecutor | None:
        with self._lock:
            if self._pool is None and not self._closed:
                context = get_context("forkserver")
                context.set_forkserver_preload([__name__])
                self._pool = ProcessPoolExecutor(self._workers, mp_context=context)
            return self._pool

    def _forget(self, pool: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is pool:
                self._pool = None
        pool.shutdown(wait=False)


def _verify_plain(checks: Sequence[tuple[str, bytes, bytes, bytes]]) -> list[bool]:
    """Verify one chunk of checks in a process of the pool."""
    return verify_many(starmap(SignatureCheck, checks))
