"""The picture of a running market: the live page of `commonwatt up`, drawn as SVG.

A real market on an embedded ledger of its own, seeded and in virtual time: the same picture on
every machine. Only the seconds between two looks are made up.
"""

from __future__ import annotations

import html
import io
import re
import tempfile
from pathlib import Path

from rich.console import Console

from chaincode.area.clock import ClockArguments
from chaincode.contract import Contract
from chaincode.queries.market import SlotView
from commonwatt.demonstration.cast import AREA, ORGANISATIONS, SLOT_S, found, make_cast
from commonwatt.demonstration.market_plan import HOUSEHOLDS_DEFAULT, SPEED_DEFAULT
from commonwatt.demonstration.member_duties import Operation
from commonwatt.demonstration.simulated_reports import SignedByAll
from commonwatt.demonstration.simulation import CHANNEL, START_S, VirtualClock
from commonwatt.terminal.page import live_page
from commonwatt.terminal.snapshot import Snapshot, take_snapshot
from ledger_network.embedded.engine import EmbeddedLedger

SEED = 11
BEGIN_S = START_S + 5 * 3600  # Monday morning, five o'clock in Berlin
SLOTS = 18  # four hours and a half
WIDTH, HEIGHT = 150, 34  # columns and lines of the terminal that is drawn

CELL = 12.2  # width of a character in rich's drawing
FONT_SIZE = "font-size: 20.27px"  # so that DejaVu Sans Mono fills its cells

_FONT_FACE = re.compile(r"\s*@font-face\s*\{[^}]*\}")
_FONT_NAMES = re.compile(r"font-family:\s*Fira Code,\s*monospace")
_FONTS = 'font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace'
_CREDIT = re.compile(r"\n\s*<!-- Generated[^>]*-->")
_TEXT = re.compile(
    r'<text class="(?P<style>[\w-]+)" x="(?P<x>[\d.]+)" y="(?P<y>[\d.]+)" textLength="[\d.]+" '
    r'clip-path="url\(#[\w-]+\)">(?P<text>[^<\n]*)</text>'
)


async def draw_market() -> str:
    """The picture as SVG text; no address of another machine stands in it."""
    console = Console(
        file=io.StringIO(),
        record=True,
        force_terminal=True,
        color_system="truecolor",
        no_color=False,
        width=WIDTH,
        height=HEIGHT,
    )
    cast = make_cast(SEED, HOUSEHOLDS_DEFAULT)
    console.print(live_page(await _run(), cast, speed=SPEED_DEFAULT, columns=WIDTH))
    drawn = console.export_svg(title="commonwatt up", unique_id="commonwatt")
    local = _FONT_NAMES.sub(_FONTS, _FONT_FACE.sub("", _CREDIT.sub("", drawn)))
    local = local.replace("font-size: 20px", FONT_SIZE)
    lines = _TEXT.sub(_placed, local).splitlines()
    return "\n".join(line.rstrip() for line in lines if line.strip()) + "\n"


def _placed(found: re.Match[str]) -> str:
    """A piece of text where its first letter stands; some viewers drop the blanks before it."""
    text = found["text"].replace("&#160;", " ")
    kept = text.lstrip(" ")
    x = float(found["x"]) + CELL * (len(text) - len(kept))
    kept = kept.rstrip(" ")
    if not kept:
        return ""
    length = CELL * len(html.unescape(kept))
    shown = kept.replace(" ", "&#160;")
    return (
        f'<text class="{found["style"]}" x="{x:.1f}" y="{found["y"]}" '
        f'textLength="{length:.1f}">{shown}</text>'
    )


async def _run() -> Snapshot:
    """Trade until `SLOTS` slots have settled, and look at the market then."""
    cast = make_cast(SEED, HOUSEHOLDS_DEFAULT)
    clock = VirtualClock(BEGIN_S)
    history: list[SlotView] = []
    with tempfile.TemporaryDirectory(prefix="commonwatt-picture-") as folder:
        ledger = EmbeddedLedger.open(
            Path(folder) / "ledger",
            contract=Contract(),
            channel=CHANNEL,
            members=[organisation.name for organisation in ORGANISATIONS],
            seed=cast.draw.bytes32("ledger"),
            clock=clock,
        )
        async with ledger:
            first_slot = BEGIN_S + SLOT_S
            rule = ClockArguments(AREA, BEGIN_S, BEGIN_S, SPEED_DEFAULT)
            await found(ledger, cast, first_slot=first_slot, clock=rule)
            reporter = SignedByAll(ledger, cast, first_slot)
            operation = Operation(
                ledger, cast, first_slot, reporter=reporter, settled=history.append
            )
            while len(history) < SLOTS:
                market_s = BEGIN_S + (clock.now_s - BEGIN_S) * SPEED_DEFAULT
                await operation.tick(market_s, lookahead_s=SLOT_S)
                clock.now_s += 1
            return await take_snapshot(
                ledger,
                cast,
                open_slot=operation.open_slot,
                history=history,
                orders=operation.tally.orders,
                slots=operation.tally.slots,
            )
