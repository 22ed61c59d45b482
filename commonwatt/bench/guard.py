"""Bench of the API's guard: how long the worst document of up to 64 KB keeps a core.

Documents are made by counting up one thing at a time to the largest size that is read and to 64 KB,
and to just below each limit, where the most work is done before a document is refused or let
through. What is measured is the processor's time, for that is what a hostile document takes from
others; the median of each, then the worst of these.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from api.faults import ApiFault
from api.graphql.guard.admission import Guard
from api.graphql.guard.query_cost import ALIASES_MAX, REPEATED_MAX
from api.graphql.guard.text_scan import DOCUMENT_BYTES_MAX
from api.schema.document import market_schema
from commonwatt.bench.figure import Figure

BYTES_MAX = 65_536
ROUNDS = 7
REACH_MS = 20


def guard() -> list[Figure]:
    """The worst of the documents, from its text to its refusal."""
    watched = Guard(market_schema().as_str())
    medians: dict[str, float] = {}
    for name, text in documents():
        taken_ms = [_refused_ms(watched, text) for _ in range(ROUNDS)]
        medians[name] = statistics.median(taken_ms)
    worst = max(medians, key=lambda name: medians[name])
    return [
        Figure(
            name="guard",
            value=medians[worst],
            unit="ms",
            spread=(min(medians.values()), medians[worst]),
            against=f"{len(medians)} documents of up to 64 KB; the worst: {worst}",
            reach=f"under {REACH_MS} ms",
            met=medians[worst] < REACH_MS,
        )
    ]


def documents() -> Iterator[tuple[str, str]]:
    """Documents that are to be refused, each with what it has much of."""
    pieces = {
        "fields": ("{", "a ", "}"),
        "arguments": ("{", "a(b:$c)", "}"),
        "comments": ("{", "#\n", "a}"),
        "commas": ("{", ",", "a}"),
        "one name": ("{", "a", "}"),
        "one string": ('{a(b:"', "x", '"){c}}'),
        "one block string": ('{a(b:"""', "x\n", '"""){c}}'),
        "an open string": ('{a(b:"', "x", ""),
        "an open block string": ('{a(b:"""', '\\"""', ""),
        "quotes": ("{", '"', "}"),
        "backslashes": ('{a(b:"', "\\", ""),
        "a number": ("{a(b:", "9", "){c}}"),
        "braces": ("", "{a", ""),
        "brackets": ("{a(b:", "[", ")}"),
        "letters beyond ASCII": ("{", "é", "}"),
    }
    for name, (begin, piece, end) in pieces.items():
        for size in (DOCUMENT_BYTES_MAX, BYTES_MAX):
            count = (size - len(begin) - len(end)) // len(piece.encode())
            yield f"{name}, {size} bytes", begin + piece * count + end
    fields = "area channel contract currency timeZone slotS marketTime rate engine block"
    yield "operations", "".join(f"query q{n}{{market{{area}}}}" for n in range(100))
    yield (
        "fragments",
        "{market{...f}}" + "".join(f" fragment f{n} on Market{{area}}" for n in range(100)),
    )
    for width in (2, 5):
        spreads = " ".join(["...f{0}"] * width)
        chain = "".join(f" fragment f{n} on Market{{{spreads.format(n + 1)}}}" for n in range(29))
        yield f"{width} to the 30th spreads", f"{{market{{{spreads.format(0)}}}}}{chain}"
    repeated = f"market{{{fields}}} " * REPEATED_MAX
    yield "fields to compare, then a fault", f"{{{repeated} nothing}}"
    yield "fields to compare, then an invalid one", f"{{{repeated} slot(start: $none) {{start}}}}"
    aliases = " ".join(f"a{n}:market(b:1,c:2,d:3){{{fields}}}" for n in range(ALIASES_MAX))
    yield "invalid arguments", f"{{{aliases}}}"
    yield "one argument again and again", f"{{slots({'after:1 ' * 190}){{totalCount}}}}"


def _refused_ms(watched: Guard, text: str) -> float:
    began_s = time.thread_time()
    try:
        watched.admit(text, "STRANGER")
    except ApiFault:
        return (time.thread_time() - began_s) * 1000
    raise RuntimeError(f"the guard let a document through: {text[:80]}")
