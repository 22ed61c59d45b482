"""The market in the terminal: a live page where there is one, a line per slot where not."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from chaincode.book import trader_of
from chaincode.queries import OpenOrder, SlotView, TradeView
from commonwatt.demonstration import SLOT_S, TIME_ZONE, ZONES, Cast
from commonwatt.formats import cents, kwh, moment, money, span
from commonwatt.snapshot import Holder, Snapshot

_ZONE_TIME = ZoneInfo(TIME_ZONE)
_BARS = " ▁▂▃▄▅▆▇█"
BUY, SELL, QUIET = "bright_blue", "yellow", "bright_black"
DEPTH_ROWS = 6
HISTORY_SHOWN = 8


def slot_line(view: SlotView) -> str:
    """A settled slot in one line."""
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


def live_page(snapshot: Snapshot, cast: Cast, *, speed: int) -> RenderableType:
    """The whole page from one look at the market."""
    layout = Layout()
    layout.split_column(
        Layout(_header(snapshot, speed), size=4),
        Layout(name="upper", ratio=1),
        Layout(name="lower", ratio=1),
        Layout(_footer(snapshot), size=1),
    )
    layout["upper"].split_row(Layout(_prices(snapshot), ratio=3), Layout(_book(snapshot), ratio=2))
    names = {home.did: f"home {home.number}" for home in cast.homes}
    layout["lower"].split_row(
        Layout(_trades(snapshot, names), ratio=3), Layout(_balances(snapshot), ratio=2)
    )
    return layout


def _header(snapshot: Snapshot, speed: int) -> RenderableType:
    market_s = snapshot.area.market_s or 0
    now = market_s - market_s % SLOT_S
    pace = "real time" if speed == 1 else f"demonstration: a slot takes {900 / speed:g} s"
    title = Text.assemble(("Commonwatt ", "bold"), (f"· {snapshot.area.area.area} · {pace}", QUIET))
    line = Text.assemble(
        (moment(market_s, _ZONE_TIME), "bold"),
        f"   running {span(now, SLOT_S, _ZONE_TIME)}",
        f"   taking orders for {span(snapshot.open_slot, SLOT_S, _ZONE_TIME)}",
    )
    return Panel(Group(title, line), border_style=QUIET)


def _prices(snapshot: Snapshot) -> RenderableType:
    table = Table(expand=True, box=None, header_style=QUIET)
    table.add_column("slot", no_wrap=True, min_width=11)
    for zone in ZONES:
        table.add_column(f"{zone.rpartition('-')[2]} ct", justify="right")
    for name in ("trades", "traded kWh", "residual kWh", "surplus kWh"):
        table.add_column(name, justify="right")
    for view in reversed(snapshot.history[-HISTORY_SHOWN:]):
        prices = {zone.zone: zone.price for zone in view.zones}
        settlement = view.settlement
        if settlement is None:
            continue
        table.add_row(
            span(view.slot, SLOT_S, _ZONE_TIME),
            *(cents(prices.get(zone)) for zone in ZONES),
            str(sum(zone.trades for zone in view.zones)),
            kwh(settlement.settled_wh),
            kwh(settlement.residual_wh),
            kwh(settlement.surplus_wh),
        )
    title = Text.assemble(("Prices ", "bold"), (_spark(snapshot.history), "green"))
    return Panel(table, title=title, title_align="left", border_style=QUIET)


def _spark(history: Sequence[SlotView]) -> str:
    """Prices of the first zone over the slots shown, as bars."""
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
    """Best bids and asks of the open slot over all zones, by price."""
    table = Table(expand=True, box=None, header_style=QUIET)
    for name in ("bid kWh", "bid ct", "ask ct", "ask kWh"):
        table.add_column(name, justify="right")
    bids = _levels(snapshot.book.orders, "buy")
    asks = _levels(snapshot.book.orders, "sell")
    for place in range(min(DEPTH_ROWS, max(len(bids), len(asks)))):
        bid = bids[place] if place < len(bids) else None
        ask = asks[place] if place < len(asks) else None
        table.add_row(
            Text(kwh(bid[1]) if bid else "", BUY),
            Text(cents(bid[0]) if bid else "", BUY),
            Text(cents(ask[0]) if ask else "", SELL),
            Text(kwh(ask[1]) if ask else "", SELL),
        )
    title = (
        f"Book {span(snapshot.open_slot, SLOT_S, _ZONE_TIME)}: {len(snapshot.book.orders)} orders"
    )
    body = table if bids or asks else Text("No orders yet.", QUIET)
    return Panel(body, title=Text(title, "bold"), title_align="left", border_style=QUIET)


def _levels(orders: Sequence[OpenOrder], side: str) -> list[tuple[int, int]]:
    levels: dict[int, int] = {}
    for item in orders:
        if item.order.side == side:
            for price, quantity_wh in item.order.steps:
                levels[price] = levels.get(price, 0) + quantity_wh
    return sorted(levels.items(), reverse=side == "buy")


def _trades(snapshot: Snapshot, names: dict[str, str]) -> RenderableType:
    table = Table(expand=True, box=None, header_style=QUIET)
    for name in ("seller", "buyer"):
        table.add_column(name)
    for name in ("kWh", "delivered", "ct/kWh"):
        table.add_column(name, justify="right")
    table.add_column("state")
    for view in snapshot.trades:
        table.add_row(*_trade_cells(view, names))
    body = table if snapshot.trades else Text("No trades yet: the sun is not up.", QUIET)
    return Panel(
        body, title=Text("Last settled trades", "bold"), title_align="left", border_style=QUIET
    )


def _trade_cells(view: TradeView, names: dict[str, str]) -> list[str]:
    trade = view.trade
    settled_wh = trade.settled_wh
    return [
        names.get(trader_of(trade.sell), "?"),
        names.get(trader_of(trade.buy), "?"),
        kwh(trade.quantity_wh),
        "-" if settled_wh is None else kwh(settled_wh),
        cents(trade.buy_price),
        view.state.lower(),
    ]


def _balances(snapshot: Snapshot) -> RenderableType:
    table = Table(expand=True, box=None, header_style=QUIET)
    table.add_column("account")
    for name in ("balance", "reserved", "certificates kWh"):
        table.add_column(name, justify="right")
    for holder in snapshot.holders:
        table.add_row(*_holder_cells(holder))
    return Panel(table, title=Text("Balances", "bold"), title_align="left", border_style=QUIET)


def _holder_cells(holder: Holder) -> list[str]:
    account = holder.answer.account
    sun = " ☀" if holder.home.profile.pv_column else ""
    return [
        f"home {holder.home.number}{sun}",
        money(account.balance_nano),
        money(account.reserved_nano),
        kwh(account.live_wh),
    ]


def _footer(snapshot: Snapshot) -> RenderableType:
    totals = snapshot.totals
    return Text.assemble(
        (f" block {snapshot.height - 1} · ", QUIET),
        f"{snapshot.orders} orders, {snapshot.slots} slots",
        f" · all money sums to {money(totals.money_nano)}",
        f" · certificates {kwh(totals.minted_wh)} = {kwh(totals.live_wh)} live",
        f" + {kwh(totals.retired_wh)} retired kWh",
        (" · Ctrl-C stops", QUIET),
    )
