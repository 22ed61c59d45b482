"""The books of a town kept a second time, in dicts, and compared with what the contract stores.

Balances are added up by hand from payments and postings (`money_model`); deliveries, certificates
and what each slot posts are worked out again from its trades and readings
(`settlement.reference`); reserves from the trades that wait and the fees of cancelled orders.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from chaincode.accounts.balances import ACCOUNTS, Account
from chaincode.accounts.claims import CLAIM_SUMS, CLAIMS
from chaincode.accounts.entries import (
    correction_cause,
    fee_cause,
    payment_cause,
    settlement_cause,
)
from chaincode.accounts.posting import Posting
from chaincode.accounts.statements import FOLD_PAGES, SumArguments, Totals
from chaincode.area.rules import rules_at
from chaincode.area.vat import (
    Vat,
)
from chaincode.clearing.order_book import (
    BOOK_PAGES,
    BookPage,
    trader_of,
)
from chaincode.clearing.records import CLEARINGS, ZoneClearing
from chaincode.clearing.run import TRADES, MatchedTrade
from chaincode.orders.order_batch import ORDERS, StoredOrder
from chaincode.settlement.correction import CAUSES
from chaincode.settlement.settled_slot import METER_PAGES, POSTINGS, SETTLEMENTS, MeterSettled
from chaincode.slots.gate import SLOTS, Slot
from chaincode.state import (
    page_part,
    slot_part,
)
from tests.chaincode.money_model import Money, Noted
from tests.chaincode.settlement.case import Case, PartyIn, ReadingIn, TradeIn
from tests.chaincode.settlement.reference import Books as SettledSlowly
from tests.chaincode.settlement.reference import Line, explained_nano, settle_slowly
from tests.chaincode.town import AREA, DSO, PRICES, RETAILERS, Town, Trader


class Books:
    """What every account holds, by a second hand."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.money = Money()
        self.gate_epochs: dict[int, int] = {}
        self.waiting: dict[int, list[MatchedTrade]] = {}
        self.metered_export_wh = 0
        self.seen: Counter[str] = Counter()
        self.corrections: Counter[int] = Counter()
        self._fold_pages: dict[str, bytes] = {}
        self._posted_by_folding: Counter[str] = Counter()
        self._folded = 0  # of the model's; their sums are in `_moved`
        self._moved: Counter[str] = Counter()

    def paid(self, trader: Trader, amount_nano: int, reference: str) -> None:
        """A payment was taken; it waits to be folded."""
        cause = payment_cause(trader.retailer, reference)
        self.money.note(trader.did, cause, trader.retailer, money=amount_nano)
        self.money.note(trader.retailer, cause, money=-amount_nano)

    def held(self, slot: int, did: str, fee_nano: int) -> int:
        """A cancellation fee is reserved as far as free money reaches; the reserved part."""
        held_nano = min(fee_nano, max(0, self.money.free(did)))
        if held_nano:
            self.money.note(did, fee_cause(slot), reserved=held_nano)
        return held_nano

    def gate_closed(self, slot: int) -> None:
        """What was noted so far may be folded before the slot clears."""
        self.gate_epochs[slot] = self.money.close()

    def folded(self, due_slot: int | None) -> None:
        """Fold what may be folded before `due_slot` clears, everything closed without one."""
        before = len(self.money.folded)
        self.money.fold(self.money.open - 1 if due_slot is None else self.gate_epochs[due_slot])
        for _, _, amount in self.money.folded[before:]:
            self.seen["default" if amount > 0 else "repayment"] += 1

    def cleared(self, slot: int, rows: Mapping[str, list[StoredOrder]]) -> None:
        """Fold; take the slot's trades from the ledger and hold them against its book."""
        self.folded(slot)
        book, trades = self._book(slot), self.trades(slot)
        self._check_book(slot, book, rows)
        _check_trades(book, trades)
        self._check_zones(slot, trades)
        self.waiting[slot] = trades
        covers = self._covers()
        for trade in trades:
            for name, cover_nano in (
                (trade.buy, trade.buy_cover_nano),
                (trade.sell, trade.sell_cover_nano),
            ):
                did = trader_of(name)
                self.money.reserved[did] += cover_nano
                assert not cover_nano or self.money.balance[did] >= covers[did], f"{name}: no cover"

    def settled(
        self, slot: int, readings: Mapping[str, tuple[int, int]], estimated: set[str]
    ) -> None:
        """Take the slot's postings, and hold them and its Wh against the rules worked out again."""
        trades = self.trades(slot)
        case = self._case(slot, trades, readings)
        expected = settle_slowly(case)
        assert {str(trade.number): trade.settled_wh for trade in trades} == expected.settled
        self._check_meters(slot, trades, readings, estimated)
        cause = settlement_cause(slot)
        self._count_certificates(case, expected, cause, sign=1)
        owner = {meter: trader.did for meter, trader in self.town.meters.items()}
        postings = self._postings(slot)
        _check_explanations(postings)
        self._check_postings(slot, postings, expected.lines, owner)
        self._note(postings, cause)
        for trade in self.waiting.pop(slot):
            for name, cover_nano in (
                (trade.buy, trade.buy_cover_nano),
                (trade.sell, trade.sell_cover_nano),
            ):
                self._note_one(trader_of(name), cause, reserved=-cover_nano)
        for page in self._book(slot):
            for withdrawal in page.withdrawals:
                self._note_one(trader_of(withdrawal.order), cause, reserved=-withdrawal.fee_nano)
        self._close_if_noted(cause)

    def corrected(
        self,
        slot: int,
        before: Mapping[str, tuple[int, int]],
        newest: Mapping[str, tuple[int, int]],
        estimated: set[str],
    ) -> bool:
        """Settle from nothing on both energies and subtract; whether the slot was to correct.

        `estimated` are the meters whose energy is an estimate still.
        """
        trades = self.trades(slot)
        old, new = (self._case(slot, trades, readings) for readings in (before, newest))
        was, now = settle_slowly(old), settle_slowly(new)
        assert {str(trade.number): trade.settled_wh for trade in trades} == now.settled
        self._check_meters(slot, trades, newest, estimated)
        number = max((cause for cause, _ in self._causes(slot)), default=0)
        named = correction_cause(slot, number)
        self._count_certificates(old, was, named, sign=-1)
        self._count_certificates(new, now, named, sign=1)
        due: Counter[str] = Counter()
        for sign, lines in ((-1, was.lines), (1, now.lines)):
            for line in lines:
                due[self._owner(line.account)] += sign * line.nano
        _check_explanations(self._postings(slot))
        causes = self._causes(slot)
        cause = f"correction-{number}"
        fresh = number > self.corrections[slot]
        postings = [p for p in self._postings(slot) if fresh and p.cause == cause]
        posted: Counter[str] = Counter()
        for posting in postings:
            assert posting.amount_nano
            posted[posting.account] += posting.amount_nano
        self._note(postings, named)
        if fresh:
            self._close_if_noted(named)
        assert len({(p.account, p.kind, p.trade, p.explanation) for p in postings}) <= len(postings)
        assert {k: v for k, v in posted.items() if v} == {k: v for k, v in due.items() if v}
        assert posted.total() == 0
        self.seen.update(f"corrected: {posting.kind}" for posting in postings)
        moved = {name for name, wh in newest.items() if before.get(name, (0, 0)) != wh}
        assert moved <= {meter for at, meter in causes if fresh and at == number}
        self.corrections[slot] = number
        return fresh

    def check(self) -> None:
        """Everything the ledger stores of accounts is what these books say."""
        accounts = {
            owner: ACCOUNTS.decode(value) for owner, value in self._under(ACCOUNTS.key(AREA, ""))
        }
        money = self.money
        owners = {*accounts, *money.balance, *money.reserved, *money.minted, *money.retired}
        for owner in owners:
            assert accounts.get(owner, Account()) == Account(
                balance_nano=money.balance[owner],
                reserved_nano=money.reserved[owner],
                claims_nano=money.owes(owner),
                minted_wh=money.minted[owner],
                live_wh=money.live[owner],
                retired_wh=money.retired[owner],
            ), owner
        self._check_claims()
        answer = self.town.submit("sum_accounts", SumArguments(AREA))
        totals = msgspec.json.decode(answer, type=Totals)
        assert totals.money_nano == 0
        assert totals.minted_wh == totals.live_wh + totals.retired_wh == self.metered_export_wh
        assert totals.claims_nano == sum(money.owes(owner) for owner in owners)

    def _check_claims(self) -> None:
        """The claims are those of the model, and each has been posted."""
        claims = {
            tuple(name.split("/")): CLAIMS.decode(value).amount_nano
            for name, value in self._under(CLAIMS.key(AREA, ""))
        }
        assert claims == {
            (client, cause, retailer): amount
            for client, held in self.money.claims.items()
            for (cause, retailer), amount in held.items()
        }
        for retailer in RETAILERS:
            sums = {
                client: CLAIM_SUMS.decode(value).amount_nano
                for client, value in self._under(CLAIM_SUMS.key(AREA, retailer, ""))
            }
            assert sums == self.money.held_by(retailer)
        self._read_fold_pages()
        for client, retailer, amount in self.money.folded[self._folded :]:
            self._moved[client] += amount
            self._moved[retailer] -= amount
        self._folded = len(self.money.folded)
        posted, moved = self._posted_by_folding, self._moved
        assert {k: v for k, v in posted.items() if v} == {k: v for k, v in moved.items() if v}

    def _read_fold_pages(self) -> None:
        """Add what the pages post that are new or have changed since the last check."""
        pages = dict(self._under(FOLD_PAGES.key(AREA, "")))
        assert pages.keys() >= self._fold_pages.keys()
        for key, value in pages.items():
            before = self._fold_pages.get(key)
            if value == before:
                continue
            for posting in FOLD_PAGES.decode(value).postings:
                self._posted_by_folding[posting.account] += posting.amount_nano
            if before is not None:
                for posting in FOLD_PAGES.decode(before).postings:
                    self._posted_by_folding[posting.account] -= posting.amount_nano
        self._fold_pages = pages

    def _note(self, postings: Iterable[Posting], cause: str) -> None:
        for posting in postings:
            self._note_one(posting.account, cause, money=posting.amount_nano)

    def _note_one(self, owner: str, cause: str, **amounts: int) -> None:
        """Note what a cause adds; a trader's retailer answers for it."""
        retailers = {trader.did: trader.retailer for trader in self.town.traders}
        self.money.note(owner, cause, retailers.get(owner, "-"), **amounts)

    def _close_if_noted(self, cause: str) -> None:
        """The end of a slot's run closes the epoch in which it has noted something."""
        here = [p for p in self.money.noted if p.epoch == self.money.open and p.cause == cause]
        if any(self.money.noted[place] != Noted() for place in here):
            self.money.close()

    def trades(self, slot: int) -> list[MatchedTrade]:
        """The trades of a slot as stored."""
        pages = (TRADES.decode(value) for value in self._pages(TRADES.key, slot))
        return [trade for page in pages for trade in page.trades]

    def slot(self, slot: int) -> Slot:
        """A slot's row."""
        return SLOTS.decode(self.town.view.rows[SLOTS.key(AREA, slot_part(slot))])

    def _covers(self) -> Counter[str]:
        covers: Counter[str] = Counter()
        for trades in self.waiting.values():
            for trade in trades:
                covers[trader_of(trade.buy)] += trade.buy_cover_nano
                covers[trader_of(trade.sell)] += trade.sell_cover_nano
        return covers

    def _under(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        for key, value in self.town.view.range(prefix, prefix[:-1] + "0"):
            yield key[len(prefix) :], value

    def _pages(self, key: Callable[..., str], slot: int) -> Iterable[bytes]:
        number = 0
        while (name := key(AREA, slot_part(slot), page_part(number))) in self.town.view.rows:
            yield self.town.view.rows[name]
            number += 1

    def _causes(self, slot: int) -> list[tuple[int, str]]:
        pages = (CAUSES.decode(value) for value in self._pages(CAUSES.key, slot))
        return [(page.correction, cause.meter) for page in pages for cause in page.causes]

    def _owner(self, account: str) -> str:
        """An account of a case, where each meter is a party, as the ledger names it."""
        prefix, colon, name = account.rpartition(":")
        trader = self.town.meters.get(name)
        return prefix + colon + (name if trader is None else trader.did)

    def _check_meters(
        self,
        slot: int,
        trades: list[MatchedTrade],
        readings: Mapping[str, tuple[int, int]],
        estimated: set[str],
    ) -> None:
        """What the slot shows of each meter is what it was read, and its trades."""
        meters = self._meters(slot)
        assert [meter.meter for meter in meters] == sorted(readings)
        sums = SETTLEMENTS.decode(self.town.view.rows[SETTLEMENTS.key(AREA, slot_part(slot))])
        assert sums.settled_wh == sum(trade.settled_wh or 0 for trade in trades)
        assert sums.residual_wh == sum(meter.residual_wh for meter in meters)
        assert sums.surplus_wh == sum(meter.surplus_wh for meter in meters)
        assert sums.minted_wh == sum(meter.minted_wh for meter in meters)
        assert sums.retired_wh == sum(meter.retired_wh for meter in meters)
        assert sums.estimated == sum(meter.estimated for meter in meters)
        for meter in meters:
            import_wh, export_wh = readings.get(meter.meter, (0, 0))
            bought = sum(t.settled_wh or 0 for t in trades if t.buy_meter == meter.meter)
            sold = sum(t.settled_wh or 0 for t in trades if t.sell_meter == meter.meter)
            assert bought + meter.residual_wh == import_wh
            assert sold + meter.surplus_wh == export_wh
            assert meter.minted_wh == (export_wh if meter.source else 0)
            assert meter.estimated == (meter.meter in estimated)
            if meter.estimated:
                assert (export_wh, meter.surplus_wh, meter.minted_wh) == (0, 0, 0)

    def _count_certificates(
        self, case: Case, expected: SettledSlowly, cause: str, *, sign: int
    ) -> None:
        owner = {meter: trader.did for meter, trader in self.town.meters.items()}
        trades = {trade.id: trade for trade in case.trades}
        for meter, reading in case.readings.items():
            export_wh = reading.export if self.town.meters[meter].source else 0
            sold_wh = sum(wh for id_, wh in expected.settled.items() if trades[id_].seller == meter)
            used_wh = sold_wh if self.town.meters[meter].source else 0
            live_wh = export_wh - used_wh
            self._note_one(owner[meter], cause, minted=sign * export_wh, live=sign * live_wh)
            self.metered_export_wh += sign * export_wh
        for meter_name, wh in expected.retired.items():
            self._note_one(owner[meter_name], cause, retired=sign * wh)

    def _book(self, slot: int) -> list[BookPage]:
        return [BOOK_PAGES.decode(value) for value in self._pages(BOOK_PAGES.key, slot)]

    def _meters(self, slot: int) -> list[MeterSettled]:
        pages = (METER_PAGES.decode(value) for value in self._pages(METER_PAGES.key, slot))
        return [meter for page in pages for meter in page.meters]

    def _postings(self, slot: int) -> list[Posting]:
        pages = (POSTINGS.decode(value) for value in self._pages(POSTINGS.key, slot))
        return [posting for page in pages for posting in page.postings]

    def _check_book(
        self, slot: int, book: list[BookPage], rows: Mapping[str, list[StoredOrder]]
    ) -> None:
        """Every open order is in the book or left out, as it was placed; nothing else is."""
        penalty = rules_at(self.town.engine.reading(), AREA, slot).shortfall_penalty
        opened = {f"{did}/{o.id}": o for did, orders in rows.items() for o in orders if o.open}
        entries = {entry.order: entry for page in book for entry in page.entries}
        left_out = [out.order for page in book for out in page.left_out]
        self.seen.update(f"out: {out.reason}" for page in book for out in page.left_out)
        assert sorted([*entries, *left_out]) == sorted(opened)
        for name, entry in entries.items():
            order = opened[name]
            assert (entry.side, entry.meter, entry.zone) == (order.side, order.meter, order.zone)
            assert [(step.price, step.quantity_wh) for step in entry.steps] == order.steps
            if order.side == "sell":
                assert [step.cover_price for step in entry.steps] == [
                    max(0, -price) + penalty for price, _ in order.steps
                ]
        withdrawn = {f"{did}/{o.id}": o for did, orders in rows.items() for o in orders}
        charged = {w.order: w for page in book for w in page.withdrawals}
        assert set(charged) == {name for name, order in withdrawn.items() if order.withdrawn_wh}
        for name, withdrawal in charged.items():
            order = withdrawn[name]
            assert (withdrawal.withdrawn_wh, withdrawal.fee_nano) == (
                order.withdrawn_wh,
                order.fee_nano,
            )
        stored = {
            did: row.orders
            for did, value in self._under(ORDERS.key(AREA, slot_part(slot), ""))
            if (row := ORDERS.decode(value)).orders
        }
        assert stored == {did: orders for did, orders in rows.items() if orders}

    def _check_zones(self, slot: int, trades: list[MatchedTrade]) -> None:
        volume: Counter[str] = Counter()
        for trade in trades:
            (zone,) = trade.path
            volume[zone] += trade.quantity_wh
            cleared = self._zone(slot, zone)
            assert cleared.price == trade.buy_price == trade.sell_price
        for zone, wh in volume.items():
            assert self._zone(slot, zone).volume_wh == wh

    def _zone(self, slot: int, zone: str) -> ZoneClearing:
        return CLEARINGS.decode(self.town.view.rows[CLEARINGS.key(AREA, slot_part(slot), zone)])

    def _case(
        self, slot: int, trades: list[MatchedTrade], readings: Mapping[str, tuple[int, int]]
    ) -> Case:
        """The slot in the rules' format; each meter is a party of its own there."""
        context = self.town.engine.reading()
        taxed = Vat("taxable", self.town.vat_ppm)
        parties = {retailer: PartyIn(vat=taxed) for retailer in RETAILERS}
        meters = {
            meter: trader
            for meter, trader in self.town.meters.items()
            if self.town.certified_from[meter] <= slot
        }
        parties |= {
            meter: PartyIn(
                retailer=trader.retailer,
                residual_import=PRICES.import_price,
                residual_export=PRICES.export_price,
                grid_level=7,
            )
            for meter, trader in meters.items()
        }
        measured: dict[str, ReadingIn] = {}
        for meter, trader in meters.items():
            import_wh, export_wh = readings.get(meter, (0, 0))
            certified = None if trader.source else 0
            measured[meter] = ReadingIn(export_wh, import_wh, certified)
        return Case(
            slot=slot,
            parties=parties,
            readings=measured,
            trades=tuple(
                TradeIn(
                    id=str(t.number),
                    seller=t.sell_meter,
                    buyer=t.buy_meter,
                    quantity=t.quantity_wh,
                    buy_price=t.buy_price,
                    sell_price=t.sell_price,
                    relation=t.relation,
                    tariff=t.tariff,
                )
                for t in trades
            ),
            fees=self.town.fees_at(slot),
            shortfall_penalty=rules_at(context, AREA, slot).shortfall_penalty,
        )

    def _check_postings(
        self, slot: int, postings: list[Posting], lines: Iterable[Line], owner: Mapping[str, str]
    ) -> None:
        """Postings sum to zero, and are what the reference and cancelling come to."""
        assert sum(posting.amount_nano for posting in postings) == 0
        due: Counter[str] = Counter()
        for line in lines:
            prefix, colon, name = line.account.rpartition(":")
            due[prefix + colon + owner.get(name, name)] += line.nano
        for page in self._book(slot):
            for withdrawal in page.withdrawals:
                due[trader_of(withdrawal.order)] -= withdrawal.fee_nano
                due[DSO] += withdrawal.fee_nano
        posted: Counter[str] = Counter()
        for posting in postings:
            posted[posting.account] += posting.amount_nano
        assert {k: v for k, v in posted.items() if v} == {k: v for k, v in due.items() if v}
        self.seen.update(posting.kind for posting in postings)
        value = self.town.view.rows[SETTLEMENTS.key(AREA, slot_part(slot))]
        assert SETTLEMENTS.decode(value).postings == len(postings)


def _check_explanations(postings: Iterable[Posting]) -> None:
    """Each amount of a slot follows from its explanation and from what was posted before it.

    A correction of what trades left stands on one meter, of which an account may have several.
    """
    stood: Counter[tuple[str, str, str]] = Counter()
    for posting in postings:
        line = posting.account, posting.kind, posting.trade
        told = posting.explanation
        explained = explained_nano(posting, stood[line] if posting.trade else told.base_nano)
        assert posting.amount_nano in (explained, -explained), posting
        stood[line] += posting.amount_nano


def _check_trades(book: list[BookPage], trades: list[MatchedTrade]) -> None:
    """No step trades more than it has or at a worse price; its cover is kept for what matched."""
    steps = {
        name if len(entry.steps) == 1 else f"{name}#{number}": (entry, step)
        for page in book
        for entry in page.entries
        for name in (entry.order,)
        for number, step in enumerate(entry.steps, start=1)
    }
    taken: Counter[str] = Counter()
    for trade in trades:
        (buyer, bid), (seller, ask) = steps[trade.buy], steps[trade.sell]
        assert (buyer.side, seller.side) == ("buy", "sell")
        assert (buyer.meter, seller.meter) == (trade.buy_meter, trade.sell_meter)
        assert ask.price <= trade.sell_price
        assert trade.buy_price <= bid.price
        assert trade.buy_cover_nano == bid.cover_price * trade.quantity_wh
        assert trade.sell_cover_nano == ask.cover_price * trade.quantity_wh
        taken[trade.buy] += trade.quantity_wh
        taken[trade.sell] += trade.quantity_wh
    assert all(wh <= steps[name][1].quantity_wh for name, wh in taken.items())
