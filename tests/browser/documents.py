"""The GraphQL documents of the dashboard, read from its sources as text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from api.server.dashboard_build import FOLDER

_CONSTANT = re.compile(r"const (\w+) =\s*(?:`([^`]*)`|\"([^\"\n]*)\");")
_INLINE = re.compile(r"\"(subscription \{[^\"]*)\"")
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
