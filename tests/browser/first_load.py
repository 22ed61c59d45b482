"""What the first load of the dashboard weighs: the page and the files that it names."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

FIRST_LOAD_BYTES_MAX = 100_000  # what a phone on a slow line has in a second or two


def files_named(dist: Path) -> list[str]:
    """The scripts and styles that the page names, relative to the folder of built files."""
    page = (dist / "index.html").read_text(encoding="utf-8")
    return re.findall(r'(?:src|href)="/([^"]+)"', page)


def first_load_bytes(dist: Path) -> int:
    """Bytes of the page and of all that it names, compressed."""
    files = [dist / "index.html", *(dist / name for name in files_named(dist))]
    return sum(len(gzip.compress(file.read_bytes(), 9)) for file in files)
