"""`python -m commonwatt.docs_generator` writes the generated pages and the picture into `docs/`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from commonwatt.docs_generator.pages import generated_pages
from commonwatt.docs_generator.picture import draw_market

PAGES = Path("docs")


def write(folder: Path) -> None:
    """Write every generated file below `folder`."""
    files = {**generated_pages(), "market.svg": asyncio.run(draw_market())}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path}\n")


write(Path(sys.argv[1]) if len(sys.argv) > 1 else PAGES)
