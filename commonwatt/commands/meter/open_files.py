"""The limit of open files: each connection to a meter is an open file."""

from __future__ import annotations

import resource


def raise_file_limit() -> None:
    """Raise the limit as far as the system allows: four nodes may read every meter."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
