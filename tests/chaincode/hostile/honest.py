"""The duties of honest members: the DSO, a retailer, the oracle and three traders.

What they do is due and lawful, so it must be carried out, and within as many steps as the size of
the slot needs. `between` is called between two steps of theirs: others act in the meantime.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from chaincode.accounts.claims import CLAIMS
from chaincode.accounts.entries import ENTRIES
from chaincode.area.intents import HOLD_TYP, Hold
from chaincode.area.zones import AreaName, PauseArguments
from chaincode.metering.certification import MeterArguments
from chaincode.metering.oracles import AppointmentArguments, OracleArguments, OracleSet
from chaincode.metering.supply import SUPPLY_TYP, SupplyArguments, SupplyConsent
from chaincode.orders.order_batch import ORDERS
from chaincode.orders.sheets import SHEET_TYP, Sheet, SheetOrder
from chaincode.slots.draw import SeedChainArguments
from chaincode.state import Side, slot_part
from identity.did import did_key
from tests.chaincode.hostile.market import (
    HONEST_RETAILER,
    HOSTILE_RETAILER,
    POWER_W,
    Market,
    chain_named,
)
from tests.chaincode.hostile.market_model import Certificate, Named, Supplier
from tests.chaincode.town import AREA, DSO, ORACLE, SLOT, SLOT_S, Trader, key_of

SEED_MEMBERS = (DSO, HONEST_RETAILER)
LINKS_LEFT_MIN = 12
EMPTY_TOGETHER_MIN = 3
STEPS_OF_A_RUN = 5  # a run has at most four steps; each may end a transaction


class Honest:
    """The honest members of a market, and what they have not done yet."""

    def __init__(self, market: Market, between: Callable[[], None]) -> None:
        self.market = market
        self._between = between
        self._unread = SLOT
        self._late: list[tuple[str, int]] = []

    def do_duty(self) -> None:
        """Do everything that is due now."""
        self._post_terms()
        for trader in self.market.town.traders[1:]:
            if self.market.random.random() < 0.35:
                self._place(trader)
        self.run_slots()

    def run_slots(self) -> None:
        """Take every step of slots that is due now."""
        self._close_gates()
        self._reveal()
        self._report()
        self._clear()
        self._settle()
        self._correct()
        self._fold()

    def _must(self, code: str, *lawful: str) -> bool:
        """Whether something was carried out; it must be, but for a lawful reason."""
        assert code in ("", *lawful), f"an honest member is refused: {code}"
        return not code

    # Terms

    def _post_terms(self) -> None:
        """Repair for slots that have not opened what others have made unusable."""
        slot = self.market.model.newest + SLOT_S
        for member in SEED_MEMBERS:
            self._post_chain(member, slot)
        self._name_nodes(slot)
        for trader in self.market.town.traders:
            if trader is not self.market.hostile or self.market.random.random() < 0.1:
                self._hold_meter(trader, slot)
        self._unlock()
        self._credit()
        for zone in sorted(self.market.model.paused):
            if self.market.random.random() < 0.2:
                arguments = PauseArguments(zone, "repaired")
                self._must(self.market.attempt("resume_zone", arguments))
                self.market.model.paused.discard(zone)

    def _credit(self) -> None:
        """The honest retailer's clients pay in what they have used, after some time."""
        market = self.market
        for trader in market.town.traders:
            if market.retailers[trader.did] == HONEST_RETAILER and market.random.random() < 0.03:
                payment = market.town.payment(trader, 40_000_000, f"h{market.number()}")
                self._must(market.attempt("credit_client", payment, HONEST_RETAILER))
                amounts = {trader.did: 40_000_000, HONEST_RETAILER: -40_000_000}
                market.model.posted(amounts)

    def _unlock(self) -> None:
        """The regulator unlocks, after some time, whom it has locked."""
        market, model = self.market, self.market.model
        for trader in market.town.traders:
            if trader.did in model.locked and market.random.random() < 0.1:
                model.acts += 1
                arguments = market.town.lock_token(trader, model.acts, lock=False)
                self._must(market.attempt("record_act", arguments))
                model.locked.discard(trader.did)

    def _post_chain(self, member: str, slot: int) -> None:
        market, model = self.market, self.market.model
        anchor = model.chains[member].at(slot)
        if anchor is not None:
            chain = market.chains.get(anchor)
            if chain is not None and chain.left(model.tip(member, slot)[1]) > LINKS_LEFT_MIN:
                return
        chain = chain_named(f"{member} {market.number()}")
        arguments = SeedChainArguments(AREA, slot, chain.anchor)
        self._must(market.attempt("post_seed_chain", arguments, member))
        market.chains[chain.anchor] = chain
        model.chains[member].post(slot, chain.anchor)
        model.tips.pop((member, slot), None)

    def _name_nodes(self, slot: int) -> None:
        market, model = self.market, self.market.model
        if model.operators.at(slot) != ORACLE:
            appointment = AppointmentArguments(AREA, ORACLE, slot)
            self._must(market.attempt("appoint_oracle", appointment, admin=True))
            model.operators.post(slot, ORACLE)
        oracle = model.oracle(slot)
        if oracle is not None and not set(oracle.nodes) & set(model.revoked):
            return
        keys = [key_of(f"oracle {market.number()}") for _ in range(4)]
        market.oracle_keys.update((did_key(key.public), key) for key in keys)
        nodes = [did_key(key.public) for key in keys]
        arguments = OracleArguments(AREA, slot, nodes, 1)
        self._must(market.attempt("set_oracle_nodes", arguments, ORACLE, admin=True))
        model.named.post(slot, Named(ORACLE, OracleSet(nodes, 1)))

    def _hold_meter(self, trader: Trader, slot: int) -> None:
        """A meter that was retired is certified again, and supplied again."""
        market, model, meter = self.market, self.market.model, trader.meter
        if model.supply(meter, slot) is not None:
            return
        held = model.certificate(meter, slot)
        if held is None or held.holder != trader.did:
            until_s = market.now_s + 86_400
            hold = Hold(meter=meter, v=1, valid_until_s=until_s, **market.place)
            arguments = MeterArguments(
                meter=meter,
                holder=trader.did,
                zone=trader.zone,
                grid_level=7,
                import_w=POWER_W,
                export_w=POWER_W,
                from_slot=slot,
                source=trader.source,
                hold=market.sign(trader, HOLD_TYP, hold),
            )
            self._must(market.attempt("register_certified_meter", arguments))
            certificate = Certificate(trader.did, trader.zone, POWER_W, POWER_W, trader.source)
            model.supplies[meter].post(slot, None)
            model.certificates[meter].post(slot, certificate)
        retailer = trader.retailer
        consent = SupplyConsent(
            daily_import_wh=0,
            from_slot=slot,
            meter=meter,
            retailer=retailer,
            v=1,
            valid_until_s=slot,
            **market.place,
        )
        token = SupplyArguments(market.sign(trader, SUPPLY_TYP, consent))
        self._must(market.attempt("accept_supply", token, retailer))
        model.supplies[meter].post(slot, Supplier(trader.did, retailer, retailer, 0))

    # Orders

    def _place(self, trader: Trader) -> None:
        """A trader orders in an open slot; its order must be taken unless something bars it."""
        market, model = self.market, self.market.model
        draw = market.random
        slots = [slot for slot in model.frozen if slot >= model.due]
        if not slots:
            return
        slot = draw.choice(slots[:2])
        side: Side = "buy" if (slot // SLOT_S + (trader.number >> 1)) % 2 else "sell"
        name = f"h{market.number()}"
        price = draw.randrange(90_000, 200_000)
        order = SheetOrder(name, side, slot, [(price, draw.randrange(1, 60))])
        sheet = Sheet(
            meter=trader.meter,
            orders=[order],
            v=1,
            valid_until_s=model.gate_s(slot),
            zone=trader.zone,
            **market.place,
        )
        carrier = draw.choice((DSO, HONEST_RETAILER, HOSTILE_RETAILER))
        token = market.sign(trader, SHEET_TYP, sheet)
        (code,) = market.tokens("place_orders", [token], carrier)
        barred = (
            market.now_s >= model.gate_s(slot)
            or trader.zone in model.stopped()
            or trader.did in model.locked
            or model.supply(trader.meter, slot) is None
        )
        full = code in ("CAPACITY_EXCEEDED", "ORDERS_TOO_MANY", "SLOT_STEPS_TOO_MANY")
        lawful = not barred and not full
        assert (code == "PLACED") == lawful, f"an order that may be placed: {lawful}, is {code}"
        if code == "PLACED":
            model.orders.setdefault(slot, {})[f"{trader.did}/{name}"] = trader.zone

    # A slot's life

    def _close_gates(self) -> None:
        """Close the gates that are due, those of empty slots together."""
        market, model = self.market, self.market.model
        while market.now_s >= model.gate_s(model.due):
            slot = model.due
            empty = list(self._empty_from(slot))
            if len(empty) >= EMPTY_TOGETHER_MIN:
                self._reveal()
                self._clear()
            if len(empty) >= EMPTY_TOGETHER_MIN and not market.uncleared:
                self._must(market.close_empty(empty[-1], DSO))
            else:
                self._must(market.close(slot, DSO))
            self._between()

    def _empty_from(self, slot: int) -> Iterator[int]:
        model = self.market.model
        while slot not in model.orders and self.market.now_s >= model.gate_s(slot):
            yield slot
            slot += SLOT_S

    def _reveal(self) -> None:
        """Reveal, slot by slot, where the chain is known that was posted."""
        market, model = self.market, self.market.model
        for member in SEED_MEMBERS:
            for slot in list(market.uncleared):
                if member not in model.awaits(slot):
                    continue
                anchor = model.chains[member].at(slot)
                chain = market.chains.get(anchor or "")
                tip = model.tip(member, slot)[1]
                if chain is None or not chain.left(tip):
                    break
                self._must(market.reveal(member, slot, chain.before(tip)))

    def _report(self) -> None:
        """Report each boundary that has come; now and then a meter cannot be read until later."""
        market, model, draw = self.market, self.market.model, self.market.random
        while self._unread <= market.now_s:
            boundary = self._unread
            meters = [m for m in model.certificates if model.takes_part(m, boundary)]
            mute = [meter for meter in meters if draw.random() < 0.07]
            self._late += [(meter, boundary) for meter in mute]
            self._read(boundary, [meter for meter in meters if meter not in mute])
            self._unread += SLOT_S
        late = [one for one in self._late if one[1] <= market.now_s]  # a clock may be set back
        if late and draw.random() < 0.25:
            meter, boundary = draw.choice(late)
            self._late.remove((meter, boundary))
            self._read(boundary, [meter])

    def _read(self, boundary: int, meters: list[str]) -> None:
        """Report true registers as the oracle; the DSO validates them where it cannot."""
        market, model = self.market, self.market.model
        meters = [m for m in meters if boundary in market.true[m]]
        if not meters:
            return
        leaves = [market.leaf(m, boundary, market.true[m][boundary]) for m in sorted(meters)]
        oracle = model.oracle(boundary)
        nodes = [] if oracle is None else [n for n in oracle.nodes if self._counts(n)]
        rank = "oracle" if len(nodes) >= 3 else "dso"
        code = market.report(boundary, leaves, rank=rank)
        final_s = boundary + model.rules_of(boundary).final_s
        lawful = ("SLOT_FINAL", "ORACLE_CONFIGURATION") if market.now_s >= final_s else ()
        moving = [meter for meter in meters if model.moves_final(meter, boundary, market.now_s)]
        if moving and code == "SLOT_FINAL":
            rest = [meter for meter in meters if meter not in moving]
            if rest:
                self._read(boundary, rest)
            return
        if code in ("READING_REPEATED", "READING_BACKWARDS", "READING_IMPLAUSIBLE"):
            if len(meters) > 1:
                for meter in meters:
                    self._read(boundary, [meter])
                return
            assert self._is_falsified(meters[0], boundary), code
            return
        self._must(code, *lawful)

    def _is_falsified(self, meter: str, boundary: int) -> bool:
        """Whether the DSO has validated something untrue of a meter, here or beside."""
        line, true = self.market.model.measured[meter], self.market.true[meter]
        before = max((one for one in line if one < boundary), default=None)
        after = min((one for one in line if one > boundary), default=None)
        return any(
            one in line and line[one] != true[one] for one in (before, boundary, after) if one
        )

    def _counts(self, node: str) -> bool:
        market = self.market
        unrevoked = market.model.revoked.get(node, market.now_s + 1) > market.now_s
        return unrevoked and node in market.oracle_keys

    def _run(self, name: str, slot: int, bound: int, *lawful: str) -> bool:
        """Take steps until a run has ended; whether it has, else a lawful reason not to begin."""
        market = self.market
        is_open = {"clear_slot": market.uncleared, "settle_slot": market.unsettled}.get(name)
        for _ in range(bound):
            if not self._must(market.step(name, slot, DSO), *lawful):
                return False
            if market.running.get(slot) != name:
                return True
            self._between()
            if market.running.get(slot) != name and (is_open is None or slot not in is_open):
                return True  # others have ended it
        raise AssertionError(f"{name} of {slot - SLOT} has not ended after {bound} steps")

    def _clear(self) -> None:
        market = self.market
        while market.uncleared:
            slot = market.uncleared[0]
            awaited = slot not in market.running and market.model.awaits(slot)
            if awaited:
                code = market.step("clear_slot", slot, HONEST_RETAILER)
                assert code == "SEEDS_AWAITED", "cleared while a seed is awaited"
                return
            self._run("clear_slot", slot, self._clear_bound(slot))

    def _clear_bound(self, slot: int) -> int:
        """Every entry, participant, order and zone may need a step of its own."""
        rows = [ORDERS.decode(v) for _, v in self._under(ORDERS.key(AREA, slot_part(slot), ""))]
        orders = sum(len(row.orders) for row in rows)
        return STEPS_OF_A_RUN + self._fold_bound() + 3 * len(rows) + 2 * orders

    def _settle(self) -> None:
        market, model, draw = self.market, self.market.model, self.market.random
        for slot in list(market.unsettled):
            if slot in market.uncleared or market.now_s < slot + SLOT_S:
                continue
            deadline_s = slot + SLOT_S + model.rules_of(slot).report_deadline_s
            absent = [m for m in model.meters_of(slot) if model.energy(m, slot)[1]]
            waits = absent and market.now_s < deadline_s and market.phase(slot) == "CLEARED"
            if waits and slot not in market.running and draw.random() < 0.8:
                continue
            lawful = ("READINGS_MISSING",) if waits else ()
            self._run("settle_slot", slot, self._settle_bound(slot), *lawful)

    def _settle_bound(self, slot: int) -> int:
        """Every meter is read and settled, and every order may have a trade and a fee."""
        orders = len(self.market.model.orders.get(slot, {}))
        row = self.market.row(slot)
        pages = 0 if row is None else row.trade_pages + row.book_pages
        meters = len(self.market.model.meters_of(slot))
        return STEPS_OF_A_RUN + 3 * meters + 2 * orders + pages

    def _correct(self) -> None:
        """Correct what readings have changed, and end what others have begun."""
        market, model = self.market, self.market.model
        for slot in sorted(market.due_corrections):
            if market.phase(slot) not in ("SETTLED", "CORRECTING"):
                continue  # it is corrected once it has settled, on whatever it has settled
            market.due_corrections.discard(slot)
            final_s = slot + SLOT_S + model.rules_of(slot).final_s
            lawful = ["NOTHING_TO_CORRECT"]
            if market.now_s >= final_s and slot not in market.running:
                lawful += ["SLOT_FINAL", "NO_MARKET_RULES"]
            ended = self._run("correct_slot", slot, 2 * self._settle_bound(slot), *lawful)
            if ended and market.now_s < final_s:  # a register may have come in the middle of it
                self._run("correct_slot", slot, 2 * self._settle_bound(slot), *lawful)

    def _fold(self) -> None:
        market = self.market
        for _ in range(self._fold_bound() + 1):
            code = market.attempt("fold_accounts", AreaName(AREA), HONEST_RETAILER)
            if not self._must(code, "NOTHING_TO_FOLD"):
                return
            assert market.changed
        raise AssertionError("folding does not end")

    def _fold_bound(self) -> int:
        """Every entry may be summed and struck, every claim repaid."""
        entries = sum(1 for _ in self._under(ENTRIES.key(AREA, "")))
        claims = sum(1 for _ in self._under(CLAIMS.key(AREA, "")))
        return STEPS_OF_A_RUN + 3 * entries + claims

    def _under(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        return self.market.town.view.range(prefix, prefix[:-1] + "0")
