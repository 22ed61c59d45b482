"""What the hostile client signs: orders of every kind, cancels, amendments, disputes and joins.

Its retailer carries the tokens, or another member. Some are held back and carried later, or twice.
"""

from __future__ import annotations

from typing import NamedTuple

from chaincode.area.intents import JOIN_TYP, Join
from chaincode.area.joining import ParticipantArguments
from chaincode.clearing.run import TRADES
from chaincode.orders.sheets import (
    AMEND_TYP,
    CANCEL_TYP,
    SHEET_TYP,
    Amend,
    Cancel,
    Sheet,
    SheetOrder,
    Step,
)
from chaincode.settlement.disputes import DISPUTE_TYP, DisputeAct, DisputeArguments
from chaincode.state import Side, page_part, slot_part
from tests.chaincode.hostile.market import HOSTILE_RETAILER, Market
from tests.chaincode.town import AREA, DSO, RETAILERS, SLOT, SLOT_S, Trader

NAMES = "abcdef"
HELD_MAX = 30
DAY_S = 86_400


class Held(NamedTuple):
    """A sheet with one order, as it was signed."""

    token: str
    slot: int
    name: str
    content: str
    valid_until_s: int


class Client:
    """The hostile client's acts."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self._held: list[Held] = []
        self._disputes: dict[tuple[int, int, str], bool] = {}
        self._trades: list[tuple[int, int, str, str]] = []
        self._looked_at: set[int] = set()
        self._joins = 1

    # Orders

    def place(self) -> None:
        """Carry a fresh sheet."""
        self._carry(self._signed())

    def place_much(self) -> None:
        """Orders far beyond what the meter or an order may have."""
        draw = self.market.random
        many: list[list[Step]] = [[(100_000, 1)] * 21, [(100_000, 10**9)], [(100_000, 1)] * 2_001]
        steps = draw.choice([*many, [], [(100_000, 0)], [(5_000_000, 1)]])
        held = self._signed(steps)
        codes = self._carry(held)
        lawful = ("STEPS_COUNT", "CAPACITY_EXCEEDED", "STEPS_TOO_MANY", "SHEET_UNREADABLE")
        bars = ("GATE_CLOSED", "SLOT_NOT_OPEN", "ZONE_PAUSED", "TRADER_LOCKED", "ID_USED")
        more = ("QUANTITY_BOUNDS", "PRICE_BAND", "SUPPLY_MISSING", "ORDERS_TOO_MANY")
        also = ("SLOT_STEPS_TOO_MANY", "METER_UNKNOWN", "METER_NOT_HELD", "ORDER_EXPIRED")
        assert codes in (*lawful, *bars, *more, *also), codes

    def hold_back(self) -> None:
        """Sign a sheet and keep it."""
        if len(self._held) < HELD_MAX:
            self._held.append(self._signed())
        else:
            self._held.pop(self.market.random.randrange(HELD_MAX))

    def place_late(self) -> None:
        """Carry a sheet that was held back or carried before."""
        if self._held:
            self._carry(self.market.random.choice(self._held))

    def cancel(self) -> None:
        """Cancel an order, also one that has not come."""
        market, model, draw = self.market, self.market.model, self.market.random
        slot, name = self._known() or (self._slot(), draw.choice(NAMES))
        until_s = model.gate_s(slot) + draw.choice((0, 0, 0, 0, 900, -7_200))
        token = market.sign(
            market.hostile,
            CANCEL_TYP,
            Cancel(id=name, slot=slot, v=1, valid_until_s=max(0, until_s), **market.place),
        )
        (code,) = market.tokens("cancel_orders", [token], self._carrier())
        if code != "CANCELLED":
            assert not market.changed
            return
        assert market.now_s < min(until_s, model.gate_s(slot))
        assert until_s <= model.gate_s(slot)
        orders = model.orders.setdefault(slot, {})
        full = self._full(name)
        assert (slot, full) not in model.withdrawn, "an id is used up twice"
        if (slot, full) not in model.contents:
            model.withdrawn.add((slot, full))
        else:
            assert full in orders, "an order is cancelled twice"
            del orders[full]

    def amend(self) -> None:
        """Amend an order, with a revision that is due or not."""
        market, model, draw = self.market, self.market.model, self.market.random
        slot, name = self._known() or (self._slot(), draw.choice(NAMES))
        token = market.sign(
            market.hostile,
            AMEND_TYP,
            Amend(
                id=name,
                revision=draw.choice((0, 1, 1, 1, 2, 3)),
                slot=slot,
                steps=self._steps(),
                v=1,
                valid_until_s=model.gate_s(slot),
                **market.place,
            ),
        )
        (code,) = market.tokens("amend_orders", [token], self._carrier())
        if code == "AMENDED":
            assert market.now_s < model.gate_s(slot)
            assert self._full(name) in model.orders[slot]
            assert market.hostile.did not in model.locked
        else:
            assert not market.changed

    def flood(self) -> None:
        """One batch of many tokens: unreadable ones, forged ones, too large ones, repeated ones."""
        market = self.market
        held = self._signed()
        forged = held.token[:-20] + ("A" if held.token[-20] != "A" else "B") + held.token[-19:]
        huge = self._signed([(100_000, 1)] * 2_001).token
        tokens = ["", "x" * 70_000, forged, huge, held.token, held.token]
        codes = market.tokens("place_orders", tokens, self._carrier())
        assert not {*codes[:4]} & {"PLACED", "EXISTS"}
        assert "BATCH_FULL" not in codes
        changed = market.changed
        self._note(held, codes[4], changed=changed)
        if codes[4] in ("PLACED", "EXISTS"):
            assert codes[5] == "EXISTS"

    def steal(self) -> None:
        """Orders at a meter of somebody else."""
        market = self.market
        other = market.town.traders[2]
        held = self._signed(meter=other.meter)
        (code,) = market.tokens("place_orders", [held.token], self._carrier())
        assert code not in ("PLACED", "EXISTS")
        assert not market.changed

    def _signed(self, steps: list[Step] | None = None, *, meter: str = "") -> Held:
        market, draw = self.market, self.market.random
        slot, name = self._slot(), draw.choice(NAMES)
        expires_s = draw.choice((None, None, None, slot - 500, slot + SLOT_S, 1))
        order = SheetOrder(
            name, self._side(slot), slot, self._steps() if steps is None else steps, expires_s
        )
        gate_s = market.model.gate_s(slot)
        until_s = draw.choice((gate_s, gate_s, gate_s, gate_s - 600, gate_s + 1, 5))
        sheet = Sheet(
            meter=meter or market.hostile.meter,
            orders=[order],
            v=1,
            valid_until_s=until_s,
            zone=market.hostile.zone,
            **market.place,
        )
        token = market.sign(market.hostile, SHEET_TYP, sheet)
        return Held(token, slot, name, repr((sheet.meter, sheet.zone, order)), until_s)

    def _carry(self, held: Held) -> str:
        (code,) = self.market.tokens("place_orders", [held.token], self._carrier())
        self._note(held, code, changed=self.market.changed)
        return code

    def _note(self, held: Held, code: str, *, changed: bool) -> None:
        """Hold the answer to a sheet against what the rules say."""
        market, model, trader = self.market, self.market.model, self.market.hostile
        place = held.slot, self._full(held.name)
        if code == "EXISTS":
            assert model.contents[place] == held.content, "another content is said to exist"
        if place in model.contents and model.contents[place] != held.content:
            assert code not in ("PLACED", "EXISTS"), "an id stands for two orders"
        if code != "PLACED":
            assert not changed
            return
        assert place not in model.contents
        assert place not in model.withdrawn, "a cancelled sheet is placed"
        assert held.slot in model.frozen, "an order for a slot that is not open"
        until_s = min(held.valid_until_s, model.gate_s(held.slot))
        assert market.now_s < until_s, "an order is placed too late"
        assert held.slot >= model.due, "an order is placed too late"
        assert trader.zone not in model.stopped()
        assert trader.did not in model.locked
        model.contents[place] = held.content
        model.orders.setdefault(held.slot, {})[place[1]] = trader.zone

    def _known(self) -> tuple[int, str] | None:
        """Mostly an order that stands in the book, or a sheet that is held back."""
        market, draw = self.market, self.market.random
        opened = [slot for slot in market.model.orders if slot >= market.model.due]
        own = market.hostile.did + "/"
        names = [
            (slot, name.removeprefix(own))
            for slot in opened
            for name in market.model.orders[slot]
            if name.startswith(own)
        ]
        held = [(one.slot, one.name) for one in self._held[-2:]]
        chosen = draw.choice((names, names, held, []))
        return draw.choice(chosen) if chosen else None

    def _full(self, name: str) -> str:
        return f"{self.market.hostile.did}/{name}"

    def _side(self, slot: int) -> Side:
        draw = self.market.random
        return "buy" if (slot // SLOT_S) % 2 == (draw.random() < 0.1) else "sell"

    def _steps(self) -> list[Step]:
        draw = self.market.random
        return [
            (draw.choice((90_000, 150_000, 250_000, -20_000)), draw.randrange(1, 200))
            for _ in range(draw.choice((1, 1, 2)))
        ]

    def _slot(self) -> int:
        """Mostly a slot that is open; else one that has closed or has not opened."""
        market, draw = self.market, self.market.random
        opened = [slot for slot in market.model.frozen if slot >= market.model.due]
        near = market.model.due + draw.choice((-SLOT_S, 0, 0, 0, SLOT_S, 40 * SLOT_S))
        return max(SLOT, draw.choice(opened) if opened and draw.random() < 0.8 else near)

    def _carrier(self) -> str:
        return self.market.random.choice((HOSTILE_RETAILER, HOSTILE_RETAILER, RETAILERS[1], DSO))

    # Disputes

    def dispute(self) -> None:
        """Raise or withdraw a dispute of a trade, or of somebody else's."""
        trade = self._some_trade()
        if trade is not None:
            self._dispute(self.market.hostile, *trade)

    def answer_dispute(self) -> None:
        """The other party of a trade raises its own dispute, which nobody's acts may bar."""
        trade = self._some_trade()
        if trade is None:
            return
        slot, number, *parties = trade
        others = [t for t in self.market.town.traders[1:] if t.did in parties]
        if others:
            self._dispute(others[0], slot, number, *parties)

    def _dispute(self, trader: Trader, slot: int, number: int, *parties: str) -> None:
        market, model = self.market, self.market.model
        act = market.random.choice(("raise", "raise", "withdraw"))
        signed = DisputeAct(
            act="raise" if act == "raise" else "withdraw",
            reason=market.random.choice("xy"),
            slot=slot,
            trade=number,
            v=1,
            valid_until_s=market.now_s + DAY_S,
            **market.place,
        )
        arguments = DisputeArguments(market.sign(trader, DISPUTE_TYP, signed))
        code = market.attempt("dispute_trade", arguments, market.random.choice((DSO, RETAILERS[0])))
        stands = self._disputes.get((slot, number, trader.did))
        ends_s = slot + SLOT_S
        late = market.now_s >= min(ends_s + 30 * DAY_S, ends_s + model.rules_of(slot).final_s)
        if trader.did not in parties:
            assert code == "NOT_PARTY"
        elif act == "raise" and stands is None:
            # the rules of a slot that was final long ago may be gone
            assert code in (("DISPUTE_LATE", "NO_MARKET_RULES") if late else ("",))
        elif act == "withdraw" and stands is None:
            assert code == "DISPUTE_NOT_OPEN"
        elif act == "withdraw":
            assert not code
        if market.changed:
            self._disputes[slot, number, trader.did] = act == "raise"

    def _some_trade(self) -> tuple[int, int, str, str] | None:
        """One of the last trades: its slot, its number, its buyer and its seller."""
        market = self.market
        for slot in [*market.settled[-3:], *market.unsettled[-3:]]:
            row = market.row(slot)
            if row is None or slot in self._looked_at or not row.trade_pages:
                continue
            self._looked_at.add(slot)
            key = TRADES.key(AREA, slot_part(slot), page_part(0))
            for trade in TRADES.decode(market.town.view.rows[key]).trades:
                parties = [name.partition("/")[0] for name in (trade.buy, trade.sell)]
                self._trades.append((slot, trade.number, parties[0], parties[1]))
        return market.random.choice(self._trades[-8:]) if self._trades else None

    # Joining

    def join(self) -> None:
        """Join a retailer, with the number that is due or another; any retailer may try it."""
        market, draw = self.market, self.market.random
        number = self._joins + draw.choice((0, 1, 1, 2))
        named = draw.choice((HOSTILE_RETAILER, HOSTILE_RETAILER, *RETAILERS))
        carrier = draw.choice((named, named, HOSTILE_RETAILER))
        join = Join(
            number=number,
            retailer=named,
            v=1,
            valid_until_s=market.now_s + draw.choice((DAY_S, DAY_S, 0, 60 * DAY_S)),
            **market.place,
        )
        token = market.sign(market.hostile, JOIN_TYP, join)
        code = market.attempt("register_participant", ParticipantArguments(token), carrier)
        if code:
            return
        assert named == carrier
        assert number == self._joins + 1
        self._joins = number
        market.retailers[market.hostile.did] = named
