"""How many files a process may have open: each connection to a meter is one."""

from __future__ import annotations

import resource


def raise_file_limit() -> None:
    """Each connection is an open file, and four nodes read every meter."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
