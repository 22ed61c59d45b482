"""Money and energy are conserved: random events against books kept a second time, in dicts."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chaincode.area.fees import FeeRow
from chaincode.orders.sheets import SheetOrder, Step
from chaincode.state import Side
from tests.chaincode.shadowed_town import ShadowedTown
from tests.chaincode.town import DSO, FEES, ROOT, SLOT, SLOT_S, ZONES, Trader

TRADERS = 16
EVENTS_OF_A_SLOT = 210
DEPOSIT_NANO = 400_000_000  # little enough that some orders find no cover and some clients fail
SEED = 20_261_220
BANDS = ((-500_000, 4_000_000), (-60_000, 260_000), (-500_000, 400_000))
OTHER_FEES = (
    FeeRow("grid", DSO, 21_700, 190_000, relation="local", from_hour=6, to_hour=22),
    FeeRow("grid", DSO, 11_100, 190_000, relation="local", from_hour=22, to_hour=6),
    FeeRow("levy", "levy", 9_999, 66_667, supplier=DSO),
)


SEEN = {
    *("PLACED", "EXISTS", "AMENDED", "CANCELLED", "ID_USED", "CAPACITY_EXCEEDED", "SELF_CROSSING"),
    *("PRICE_BAND", "GATE_CLOSED", "TRADER_LOCKED", "AMENDED_ALREADY", "REVISION_WRONG"),
    *("out: EXPIRED", "out: LOCKED", "out: ZONE_PAUSED", "out: NO_COVER"),
    *(
        "energy",
        "residual",
        "surplus",
        "penalty",
        "vat",
        "fee:grid",
        "fee:loss",
        "fee:levy",
        "fee:cancel",
    ),
    *("default", "repayment", "PAYOUT_WAITS", "FUNDS_INSUFFICIENT"),
    *(f"corrected: {kind}" for kind in ("energy", "residual", "surplus", "penalty", "vat")),
    "corrected: fee:grid",
}


class Chance:
    """The random events of a run, drawn from one seed."""

    def __init__(self, market: ShadowedTown, seed: int) -> None:
        self.market = market
        self.random = Random(seed)  # noqa: S311 events of a test, no secret
        self.changes = 0
        self.unread = SLOT

    def event(self) -> None:
        """One batch, payment or other act."""
        acts = (
            *((self.place,) * 9),
            *((self.amend,) * 3),
            *((self.cancel,) * 2),
            *((self.pay,) * 4),
            *((self.wrong,) * 3),
            self.pay_again,
            self.frame,
        )
        self.random.choice(acts)()

    def trader(self) -> Trader:
        """Somebody."""
        return self.random.choice(self.market.town.traders)

    def slot(self) -> int:
        """The open slot or one of the next two; now and then one that has closed."""
        ahead = self.random.choice((-1, 0, 0, 0, 0, 0, 1, 2))
        return max(SLOT, self.market.open_slot + ahead * SLOT_S)

    def steps(self, side: Side) -> list[Step]:
        """Some steps; buyers and sellers meet, and some limits are negative."""
        draw = self.random
        low = -90_000 if draw.random() < 0.15 else 80_000 if side == "buy" else 60_000
        return [
            (draw.randrange(low, 270_000), draw.randrange(1, 160))
            for _ in range(draw.choice((1, 1, 1, 2, 3)))
        ]

    def place(self) -> None:
        """A batch of sheets, one of which may stand in it twice."""
        sheets: list[tuple[Trader, str, list[SheetOrder]]] = []
        for _ in range(self.random.randrange(1, 12)):
            trader, slot = self.trader(), self.slot()
            meter = self.random.choice(
                [name for name, holder in self.market.town.meters.items() if holder is trader]
            )
            if self.market.town.certified_from[meter] > slot:
                meter = trader.meter
            side: Side = (
                "buy" if (trader.number >> 2) % 2 == (self.random.random() < 0.2) else "sell"
            )
            gate_s = slot - 300
            expires = self.random.choice((None, None, None, gate_s, slot + SLOT_S))
            if expires is not None and expires <= self.market.town.engine.now_s:
                expires = None
            order = SheetOrder(
                f"o{self.random.randrange(40)}", side, slot, self.steps(side), expires
            )
            sheets.append((trader, meter, [order]))
            if self.random.random() < 0.05:
                sheets.append(sheets[-1])
        self.market.place(sheets)

    def amend(self) -> None:
        """A few amendments, of which some are not due."""
        changes: list[tuple[Trader, int, str, int, list[Step]]] = []
        for _ in range(self.random.randrange(1, 6)):
            trader, slot = self.trader(), self.slot()
            name = self.random.choice(self.market.names_of(slot, trader) or ["none"])
            due = 1 + (self.market.revision_of(slot, trader, name) if name != "none" else 0)
            revision = max(0, due + self.random.choice((0, 0, 0, 0, -1, 1)))
            changes.append((trader, slot, name, revision, self.steps("buy")))
        self.market.amend(changes)

    def cancel(self) -> None:
        """A few cancels."""
        names: list[tuple[Trader, int, str]] = []
        for _ in range(self.random.randrange(1, 5)):
            trader, slot = self.trader(), self.slot()
            name = self.random.choice(self.market.names_of(slot, trader) or ["none"])
            names.append((trader, slot, name))
        self.market.cancel(names)

    def pay(self) -> None:
        """A credit or a debit, sometimes of more than there is."""
        amount = self.random.randrange(1, DEPOSIT_NANO // 2)
        self.market.pay(self.trader(), self.random.choice((amount, -amount)))

    def pay_again(self) -> None:
        """An earlier payment sent again."""
        self.market.pay_again(self.random.randrange(len(self.market.payments)))

    def wrong(self) -> None:
        """Something that must be refused."""
        self.market.wrong(self.random.randrange(1_000), self.trader())

    def frame(self) -> None:
        """A pause, a lock, other fees, other rules, one more meter: not too often."""
        draw, market = self.random, self.market
        choice = draw.randrange(13)
        if market.paused and choice < 11:
            market.pause(next(iter(market.paused)))
        elif market.locked and choice < 8:
            trader = next(t for t in market.town.traders if t.did in market.locked)
            market.lock(trader)
        elif choice < 1:
            market.pause(draw.choice((*ZONES, ROOT)))
        elif choice < 6:
            market.lock(self.trader())
        elif self.changes < 200:
            self.changes += 1
            if choice < 8:
                market.change_fees(draw.choice((FEES, OTHER_FEES)), draw.randrange(3))
            elif choice < 11:
                market.change_rules(
                    cancel_fee=draw.choice((0, 5_000, 40_000)),
                    shortfall_penalty=draw.choice((0, 30_000)),
                    band=draw.choice(BANDS),
                    slots_ahead=draw.randrange(3),
                )
            elif len(market.town.meters) < 3 * TRADERS:
                self.late_meter()

    def late_meter(self) -> None:
        """A meter that is certified some slots ahead must hold up no slot before."""
        from_slot = self.market.town.unopened() + self.random.randrange(4) * SLOT_S
        name = f"extra{len(self.market.town.meters)}"
        self.market.town.certify(self.trader(), meter=name, from_slot=from_slot)
        self.market.events += 1

    def measured(self, slot: int) -> dict[str, tuple[int, int]]:
        """What meters show: some near what they traded, some nothing."""
        town = self.market.town
        names = [name for name, since in town.certified_from.items() if since <= slot]
        return {name: self.energy() for name in names}

    def energy(self) -> tuple[int, int]:
        """What a meter takes and gives in a slot."""
        draw = self.random
        wh = draw.choice((0, draw.randrange(1_000), draw.randrange(200)))
        return (wh // 7, wh) if draw.random() < 0.5 else (wh, wh // 9)

    def correct(self) -> None:
        """Late readings and validated ones of settled slots, and some corrections that are due."""
        market, draw = self.market, self.random
        slots = draw.sample(market.settled[-120:], min(3, len(market.settled)))
        for slot in slots:
            for meter in list(market.withheld.get(slot, {})):
                if draw.random() < 0.6:
                    market.report_late(slot, meter)
            if draw.random() < 0.5:
                market.edit(slot, draw.choice(list(market.settled_on[slot])), self.energy())
            if draw.random() < 0.7:
                market.correct(slot)
                assert not market.correct(slot)

    def turn(self) -> None:
        """A gate closes; clearing, reports and settlement of it and of earlier slots follow."""
        market, draw = self.market, self.random
        market.close()
        if draw.random() < 0.8:
            for slot in list(market.closed):
                market.clear(slot)
        if draw.random() < 0.3:
            market.fold()
        self.report_until(market.town.engine.now_s)
        for slot in draw.sample(market.cleared, len(market.cleared)):
            if slot in market.reported and draw.random() < 0.7:
                market.settle(slot)
                market.refuse_repeats(slot)
        if draw.random() < 0.4:
            self.correct()

    def report_until(self, second: int) -> None:
        """Report the slots that are over; a slot begins where the one before it ended."""
        while self.unread + SLOT_S <= second and self.unread < self.market.open_slot:
            measured = self.measured(self.unread)
            withheld: dict[str, tuple[int, int]] = {}
            for name in self.random.sample(list(measured), self.random.choice((0, 0, 0, 1, 2))):
                withheld[name] = measured.pop(name)
            self.market.report(self.unread, measured, withheld)
            self.unread += SLOT_S


def run(events: int, seed: int) -> ShadowedTown:
    """A market after so many random events, every slot of it compared."""
    market = ShadowedTown(TRADERS, slots=events // 100, deposit_nano=DEPOSIT_NANO)
    chance = Chance(market, seed)
    while market.events < events:
        until = market.events + EVENTS_OF_A_SLOT
        while market.events < until:
            chance.event()
        chance.turn()
    for slot in list(market.closed):
        market.clear(slot)
    chance.report_until(market.open_slot + SLOT_S)
    for slot in list(market.cleared):
        market.settle(slot)
    for slot in chance.random.sample(market.settled, len(market.settled)):
        for meter in list(market.withheld.get(slot, {})):
            market.report_late(slot, meter)
        market.correct(slot)
    for slot in market.settled:
        market.correct(slot)
    market.fold()
    market.check_conserved()
    market.books.check()
    return market


def test_money_and_energy_are_conserved_over_a_hundred_thousand_events() -> None:
    market = run(100_000, SEED)

    assert market.events >= 100_000
    assert len(market.settled) > 300
    assert not market.closed
    assert not market.cleared
    assert not SEEN - set(market.books.seen), "the run has not met everything"


@pytest.mark.exhaustive
def test_money_and_energy_are_conserved_over_a_million_events() -> None:
    assert run(1_000_000, SEED + 1).events >= 1_000_000


class Market(RuleBasedStateMachine):
    """The same market, with events that Hypothesis picks and shortens."""

    @initialize()
    def found(self) -> None:
        self.market = ShadowedTown(4, slots=12, deposit_nano=90_000_000)
        self.unread = SLOT

    @rule(
        who=st.integers(0, 3),
        side=st.sampled_from(["buy", "sell"]),
        name=st.sampled_from("ab"),
        price=st.integers(-2, 3),
        wh=st.integers(0, 3),
        ahead=st.integers(0, 1),
    )
    def place_order(
        self, *, who: int, side: Side, name: str, price: int, wh: int, ahead: int
    ) -> None:
        """Prices in tenths of a unit, energy in hundreds of Wh: many meet at the same."""
        trader, slot = self.market.town.traders[who], self.market.open_slot + ahead * SLOT_S
        order = SheetOrder(name, side, slot, [(price * 100_000, wh * 100)])
        self.market.place([(trader, trader.meter, [order])])

    @rule(
        who=st.integers(0, 3),
        name=st.sampled_from("ab"),
        revision=st.integers(0, 2),
        wh=st.integers(1, 3),
    )
    def amend_order(self, *, who: int, name: str, revision: int, wh: int) -> None:
        trader, slot = self.market.town.traders[who], self.market.open_slot
        self.market.amend([(trader, slot, name, revision, [(100_000, wh * 100)])])

    @rule(who=st.integers(0, 3), name=st.sampled_from("ab"))
    def cancel_order(self, *, who: int, name: str) -> None:
        self.market.cancel([(self.market.town.traders[who], self.market.open_slot, name)])

    @rule(who=st.integers(0, 3), amount=st.integers(-40, 40).filter(bool))
    def pay_client(self, *, who: int, amount: int) -> None:
        self.market.pay(self.market.town.traders[who], amount * 1_000_000)

    @rule(place=st.integers(0, 99))
    def pay_client_again(self, *, place: int) -> None:
        self.market.pay_again(place % len(self.market.payments))

    @rule(seller=st.integers(0, 3), wh=st.integers(1, 3), price=st.integers(-1, 2))
    def place_matching_orders(self, *, seller: int, wh: int, price: int) -> None:
        """The other trader of the seller's zone buys."""
        slot, traders = self.market.open_slot, self.market.town.traders
        sides: tuple[tuple[Side, Trader], ...] = (
            ("sell", traders[seller]),
            ("buy", traders[(seller + 2) % 4]),
        )
        for side, trader in sides:
            sheet = [SheetOrder(f"m{wh}", side, slot, [(price * 100_000, wh * 100)])]
            self.market.place([(trader, trader.meter, sheet)])

    @rule(zone=st.sampled_from([*ZONES, ROOT]))
    def pause_or_resume(self, *, zone: str) -> None:
        self.market.pause(zone)

    @rule(who=st.integers(0, 3))
    def lock_or_unlock(self, *, who: int) -> None:
        self.market.lock(self.market.town.traders[who])

    @rule(choice=st.integers(0, 14), who=st.integers(0, 3))
    def wrong_request(self, *, choice: int, who: int) -> None:
        self.market.wrong(choice, self.market.town.traders[who])

    @precondition(lambda self: self.market.open_slot < SLOT + 10 * SLOT_S)
    @rule(clears=st.booleans())
    def close_gate(self, *, clears: bool) -> None:
        self.market.close()
        while clears and self.market.closed:
            self.market.clear(self.market.closed[0])

    @rule()
    def fold_accounts(self) -> None:
        self.market.fold()

    @precondition(lambda self: bool(self.market.closed))
    @rule()
    def clear_slot(self) -> None:
        self.market.clear(self.market.closed[0])

    @precondition(lambda self: bool(self.market.cleared))
    @rule(wh=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=4))
    def settle_slot(self, *, wh: list[tuple[int, int]]) -> None:
        """Report and settle a slot; with three readings the last meter is estimated."""
        slot = self.market.cleared[0]
        meters = [trader.meter for trader in self.market.town.traders]
        while self.unread <= slot:
            measured = {m: (100 * i, 100 * e) for m, (i, e) in zip(meters, wh, strict=False)}
            mute = meters[len(wh) :]
            self.market.report(self.unread, measured, dict.fromkeys(mute, (200, 100)))
            self.unread += SLOT_S
        self.market.settle(slot)

    @precondition(lambda self: bool(self.market.settled))
    @rule(
        place=st.integers(0, 9),
        who=st.integers(0, 3),
        import_=st.integers(0, 3),
        export=st.integers(0, 3),
    )
    def correct_slot(self, *, place: int, who: int, import_: int, export: int) -> None:
        """A late reading where there is one, else one that the DSO validates."""
        slot = self.market.settled[place % len(self.market.settled)]
        meter = self.market.town.traders[who].meter
        if meter in self.market.withheld.get(slot, {}):
            self.market.report_late(slot, meter)
        else:
            self.market.edit(slot, meter, (100 * import_, 100 * export))
        self.market.correct(slot)

    @invariant()
    def books_agree(self) -> None:
        self.market.books.check()


TestMarket = Market.TestCase
TestMarket.settings = settings(max_examples=150, stateful_step_count=30)
