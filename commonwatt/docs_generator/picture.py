"""Draws the picture of a running market: the live page of `commonwatt up` as SVG.

The picture shows a real market on an embedded ledger, with a seed and in virtual time, so the
picture is the same on every machine. Only the seconds between two snapshots are invented.
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
from commonwatt.demonstration.duties.members import MemberDuties
from commonwatt.demonstration.market_plan import HOUSEHOLDS_DEFAULT, SPEED_DEFAULT
from commonwatt.demonstration.simulated_reports import SimulatedReports
from commonwatt.demonstration.simulation import CHANNEL, START_S, VirtualClock
from commonwatt.terminal.page import live_page
from commonwatt.terminal.snapshot import Snapshot, take_snapshot
from ledger_network.embedded.engine import EmbeddedLedger

SEED = 11
BEGIN_S = START_S + 5 * 3600  # Monday morning, five o'clock in Berlin
SLOTS = 18  # four hours and a half
WIDTH, HEIGHT = 150, 34  # columns and lines of the terminal in the picture

CELL = 12.2  # width of a character in rich's drawing
FONT_SIZE = "font-size: 20.27px"  # chosen so that DejaVu Sans Mono fills its cells

_FONT_FACE = re.compile(r"\s*@font-face\s*\{[^}]*\}")
_FONT_NAMES = re.compile(r"font-family:\s*Fira Code,\s*monospace")
_FONTS = 'font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace'
_CREDIT = re.compile(r"\n\s*<!-- Generated[^>]*-->")
_TEXT = re.compile(
    r'<text class="(?P<style>[\w-]+)" x="(?P<x>[\d.]+)" y="(?P<y>[\d.]+)" textLength="[\d.]+" '
    r'clip-path="url\(#[\w-]+\)">(?P<text>[^<\n]*)</text>'
)


async def draw_market() -> str:
    """Return the picture as SVG text, without addresses of other machines."""
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
    """Move a text to its first letter, because some viewers drop leading blanks."""
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
    """Trade until `SLOTS` slots have settled; return a snapshot of the market."""
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
            reporter = SimulatedReports(ledger, cast, first_slot)
            duties = MemberDuties(
                ledger, cast, first_slot, reporter=reporter, settled=history.append
            )
            while len(history) < SLOTS:
                market_s = BEGIN_S + (clock.now_s - BEGIN_S) * SPEED_DEFAULT
                await duties.tick(market_s, lookahead_s=SLOT_S)
                clock.now_s += 1
            return await take_snapshot(
                ledger,
                cast,
                open_slot=duties.open_slot,
                history=history,
                orders=duties.tally.orders,
                slots=duties.tally.slots,
            )
