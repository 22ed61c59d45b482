"""Draws the market in the terminal: a live page, or a line per slot for logs and pipes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, zip_longest
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from chaincode.clearing.order_book import trader_of
from chaincode.queries.market import OpenOrder, SlotView, TradeView
from commonwatt.demonstration.cast import SLOT_S, TIME_ZONE, ZONES, Cast, Home
from commonwatt.terminal.formats import cents, kwh, moment, money, span
from commonwatt.terminal.snapshot import Snapshot

_ZONE_TIME = ZoneInfo(TIME_ZONE)
_BARS = " ▁▂▃▄▅▆▇█"
BUY, SELL, QUIET = "bright_blue", "yellow", "bright_black"
DEPTH_ROWS = 12
HISTORY_SHOWN = 14
SPARK_SLOTS = 32
WIDE_COLUMNS = 120


def slot_line(view: SlotView) -> str:
    """Return a settled slot, as one line."""
    settlement = view.settlement
    prices = ", ".join(
        f"{zone.zone.rpartition('-')[2]} {cents(zone.price)} ct" for zone in view.zones
    )
    trades = sum(zone.trades for zone in view.zones)
    settled_wh = 0 if settlement is None else settlement.settled_wh
    residual_wh = 0 if settlement is None else settlement.residual_wh
    return (
        f"{span(view.slot, SLOT_S, _ZONE_TIME)}  {trades:3d} trades  "
        f"{kwh(settled_wh)} kWh traded  {kwh(residual_wh)} kWh residual  {prices}"
    )


def live_page(snapshot: Snapshot, cast: Cast, *, speed: int, columns: int) -> RenderableType:
    """Return the whole page from a snapshot, for a terminal with `columns` columns."""
    wide = columns >= WIDE_COLUMNS
    layout = Layout()
    layout.split_column(
        Layout(_header(snapshot, speed, wide=wide), size=4),
        Layout(name="upper", ratio=1),
        Layout(name="lower", ratio=1),
        Layout(_footer(snapshot, wide=wide), size=1),
    )
    layout["upper"].split_row(
        Layout(_prices(snapshot, wide=wide), ratio=3), Layout(_book(snapshot), ratio=2)
    )
    names = {home.did: _name(home) for home in cast.homes}
    layout["lower"].split_row(
        Layout(_trades(snapshot, names, wide=wide), ratio=3),
        Layout(_balances(snapshot, wide=wide), ratio=2),
    )
    return layout


def _header(snapshot: Snapshot, speed: int, *, wide: bool) -> RenderableType:
    market_s = snapshot.area.market_s or 0
    now = market_s - market_s % SLOT_S
    pace = "real time" if speed == 1 else f"demonstration: a slot takes {SLOT_S / speed:g} s"
    title = Text.assemble(("Commonwatt ", "bold"), (f"· {snapshot.area.area.area} · {pace}", QUIET))
    running, taking = ("running ", "taking orders for ") if wide else ("now ", "orders for ")
    line = Text.assemble(
        (moment(market_s, _ZONE_TIME), "bold"),
        f"   {running}{span(now, SLOT_S, _ZONE_TIME)}",
        f"   {taking}{span(snapshot.open_slot, SLOT_S, _ZONE_TIME)}",
    )
    return Panel(Group(title, line), border_style=QUIET)


def _prices(snapshot: Snapshot, *, wide: bool) -> RenderableType:
    table = _table("slot", left=1)
    for zone in ZONES:
        table.add_column(f"{zone.rpartition('-')[2]} ct", justify="right", no_wrap=True)
    names = ("trades", "traded", "residual", "surplus") if wide else ("traded",)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for view in reversed(snapshot.history[-HISTORY_SHOWN:]):
        prices = {zone.zone: zone.price for zone in view.zones}
        settlement = view.settlement
        if settlement is None:
            continue
        cells = [kwh(settlement.settled_wh)]
        if wide:
            cells = [
                str(sum(zone.trades for zone in view.zones)),
                *cells,
                kwh(settlement.residual_wh),
                kwh(settlement.surplus_wh),
            ]
        slot = span(view.slot, SLOT_S, _ZONE_TIME)
        table.add_row(slot, *(cents(prices.get(zone)) for zone in ZONES), *cells)
    title = Text.assemble(
        ("Prices", "bold"),
        " and energy in kWh ",
        (_spark(snapshot.history[-SPARK_SLOTS:]), "green"),
    )
    return _panel(table, title)


def _spark(history: Sequence[SlotView]) -> str:
    """Return prices of the first zone over the slots shown, as bars."""
    prices = [
        zone.price
        for view in history
        for zone in view.zones
        if zone.zone == ZONES[0] and zone.price is not None
    ]
    if not prices:
        return ""
    low, high = min(prices), max(prices)
    width = max(1, high - low)
    return "".join(_BARS[1 + (price - low) * (len(_BARS) - 2) // width] for price in prices)


def _book(snapshot: Snapshot) -> RenderableType:
    """Return best bids and asks of the open slot over all zones, by price."""
    table = _table("bid kWh", "bid ct", "ask ct", "ask kWh", left=0)
    bids = _levels(snapshot.book.orders, "buy")
    asks = _levels(snapshot.book.orders, "sell")
    for bid, ask in islice(zip_longest(bids, asks), DEPTH_ROWS):
        table.add_row(
            Text(kwh(bid[1]) if bid else "", BUY),
            Text(cents(bid[0]) if bid else "", BUY),
            Text(cents(ask[0]) if ask else "", SELL),
            Text(kwh(ask[1]) if ask else "", SELL),
        )
    slot = span(snapshot.open_slot, SLOT_S, _ZONE_TIME)
    body = table if bids or asks else Text("No orders yet.", QUIET)
    return _panel(body, Text(f"Book {slot}", "bold"))


def _levels(orders: Sequence[OpenOrder], side: str) -> list[tuple[int, int]]:
    levels: dict[int, int] = {}
    for item in orders:
        if item.order.side == side:
            for price, quantity_wh in item.order.steps:
                levels[price] = levels.get(price, 0) + quantity_wh
    return sorted(levels.items(), reverse=side == "buy")


def _trades(snapshot: Snapshot, names: dict[str, str], *, wide: bool) -> RenderableType:
    table = _table("seller", "buyer", "kWh", left=2)
    for name in ("delivered", "ct/kWh") if wide else ("ct",):
        table.add_column(name, justify="right", no_wrap=True)
    if wide:
        table.add_column("state", no_wrap=True)
    for view in snapshot.trades:
        table.add_row(*_trade_cells(view, names, wide=wide))
    body = table if snapshot.trades else Text("No trade has settled yet.", QUIET)
    return _panel(body, Text("Last settled trades", "bold"))


def _trade_cells(view: TradeView, names: dict[str, str], *, wide: bool) -> list[str]:
    trade = view.trade
    cells = [
        names.get(trader_of(trade.sell), "?"),
        names.get(trader_of(trade.buy), "?"),
        kwh(trade.quantity_wh),
    ]
    if wide:
        cells.append("-" if trade.settled_wh is None else kwh(trade.settled_wh))
    cells.append(cents(trade.buy_price))
    return [*cells, view.state.lower()] if wide else cells


def _balances(snapshot: Snapshot, *, wide: bool) -> RenderableType:
    """Return money available, money reserved for matched trades and live certificates per home."""
    table = _table("account", left=1)
    for name in ("free", "reserved", "certified") if wide else ("free",):
        table.add_column(name, justify="right", no_wrap=True)
    for holder in snapshot.holders:
        account = holder.answer.account
        cells = [_name(holder.home), money(holder.answer.available_nano)]
        if wide:
            cells += [money(account.reserved_nano), kwh(account.live_wh)]
        table.add_row(*cells)
    return _panel(table, Text("Balances", "bold"))


def _footer(snapshot: Snapshot, *, wide: bool) -> RenderableType:
    totals = snapshot.totals
    certificates = (
        f" · certificates {kwh(totals.minted_wh)} = {kwh(totals.live_wh)} live"
        f" + {kwh(totals.retired_wh)} retired kWh"
    )
    return Text.assemble(
        (f" block {snapshot.height - 1} · ", QUIET),
        f"{snapshot.orders} orders, {snapshot.slots} slots",
        f" · all money sums to {money(totals.money_nano)}",
        certificates if wide else "",
        (" · Ctrl-C stops", QUIET),
    )


def _name(home: Home) -> str:
    return f"home {home.number}{' ☀' if home.profile.pv_column else ''}"


def _table(*names: str, left: int) -> Table:
    """Return a table without lines whose first `left` columns are text and the others numbers."""
    table = Table(expand=True, box=None, header_style=QUIET)
    for place, name in enumerate(names):
        table.add_column(name, justify="left" if place < left else "right", no_wrap=True)
    return table


def _panel(body: RenderableType, title: Text) -> RenderableType:
    return Panel(body, title=title, title_align="left", border_style=QUIET)
