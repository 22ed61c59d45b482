"""The GraphQL documents of the dashboard, read from its sources as text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from api.server.dashboard_build import FOLDER

_CONSTANT = re.compile(r"const (\w+) =\s*(?:`([^`]*)`|\"([^\"\n]*)\");")
_INLINE = re.compile(r"\"(subscription \{[^\"]*)\"")
_IMPORT = re.compile(r"import (?:type )?(?:\{([^}]*)\}|\* as \w+) from \"(\.[^\"]+)\";")
_ROLE = re.compile(r"([A-Z]+): \[(.*?)\],\n", re.DOTALL)
_PAGE = re.compile(r"page\(\"[^\"]*\", \"[^\"]*\", (\w+)\)")
_OPERATION = re.compile(r"\s*(query|mutation|subscription)\b")


class Written(NamedTuple):
    """A document and where it stands."""

    path: Path
    text: str


def documents() -> list[Written]:
    """All of them, with the constants that they are put together from filled in."""
    written: list[Written] = []
    for path in sorted((FOLDER / "src").rglob("*.ts*")):
        source = path.read_text(encoding="utf-8")
        constants = {found[1]: found[2] or found[3] for found in _CONSTANT.finditer(source)}
        texts = [text for text in constants.values() if _OPERATION.match(text)]
        for text in [*texts, *(found[1] for found in _INLINE.finditer(source))]:
            for name, value in constants.items():
                text = text.replace(f"${{{name}}}", value)  # noqa: PLW2901 the text filled in
            written.append(Written(path, text))
    return written


def page_modules() -> dict[str, list[Path]]:
    """The modules that each role's pages are of, by role, as the menu of the dashboard names them."""
    menu = FOLDER / "src" / "shell" / "pages.ts"
    source = menu.read_text(encoding="utf-8")
    imported = {name: path for path, names in imports(menu) for name in names}
    table = source.partition("export const PAGES")[2].partition("};")[0]
    return {
        role: [imported[view] for view in _PAGE.findall(pages)]
        for role, pages in _ROLE.findall(table)
    }


def reached(module: Path) -> set[Path]:
    """A module and all that it imports, directly or through others."""
    seen: set[Path] = set()
    waiting = [module]
    while waiting:
        path = waiting.pop()
        if path not in seen and path.suffix in {".ts", ".tsx"}:
            seen.add(path)
            waiting.extend(found for found, _ in imports(path))
    return seen


def imports(path: Path) -> list[tuple[Path, list[str]]]:
    """The modules of the dashboard that one imports, with the names that it takes of them."""
    source = path.read_text(encoding="utf-8")
    return [
        (
            (path.parent / found[2]).resolve(),
            re.findall(r"\w+", (found[1] or "").replace("type ", "")),
        )
        for found in _IMPORT.finditer(source)
    ]
