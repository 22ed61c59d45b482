"""Bench of the API's guard: how long the worst document of up to 64 KB occupies a core.

Each document repeats one kind of element. There are documents of the largest size that is read, of
64 KB, and just below each limit, where the guard does the most work before it refuses or accepts a
document. The bench measures processor time, because a hostile document takes this time from other
callers. The result is the worst of the documents' medians.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from api.faults import ApiFault
from api.graphql.document import guard_of, market_schema
from api.graphql.guard.admission import Guard
from api.graphql.guard.query_cost import ALIASES_MAX, REPEATED_MAX
from api.graphql.guard.text_scan import DOCUMENT_BYTES_MAX
from commonwatt.bench.figure import Figure

BYTES_MAX = 65_536
ROUNDS = 7
REACH_MS = 20


def guard() -> list[Figure]:
    """Measure the worst document, from its text to its refusal."""
    watched = guard_of(market_schema())
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
    """Yield documents that the guard must refuse, each named after the element that it repeats."""
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
