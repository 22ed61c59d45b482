"""What a hostile administrator does, of the area's DSO and of another organisation.

It posts rules, fees and nodes for any slot, pauses, locks and retires at the worst time, sets the
clock, and reports what no meter shows. All of it is lawful in form; some of it must be refused.
"""

from __future__ import annotations

import msgspec

from chaincode.area.capacities import CapacityArguments
from chaincode.area.clock import ClockArguments
from chaincode.area.fees import FeeRow
from chaincode.area.rule_changes import RulesArguments
from chaincode.area.tariffs import FeesArguments
from chaincode.area.zones import PauseArguments
from chaincode.metering.certification import MeterArguments, RetirementArguments
from chaincode.metering.last_resort import AssignmentArguments, LastResortArguments
from chaincode.metering.oracles import (
    AppointmentArguments,
    OracleArguments,
    RevocationArguments,
)
from chaincode.slots.draw import SeedChainArguments
from identity.did import did_key
from tests.chaincode.hostile.market import OTHER_ORACLE, POWER_W, QUICK, Market
from tests.chaincode.hostile.market_model import Certificate, Supplier
from tests.chaincode.hostile.retailer import Retailer
from tests.chaincode.town import (
    AREA,
    DSO,
    FEES,
    ORACLE,
    OTHER_DSO,
    RETAILERS,
    ROOT,
    SLOT,
    SLOT_S,
    ZONES,
    key_of,
)

UNLIMITED = 10**9
DAY_S = 86_400
OTHER_FEES = (
    FeeRow("grid", DSO, 21_700, 190_000, relation="local"),
    FeeRow("levy", "levy", 9_999, 66_667, supplier=DSO),
)
PRICES_OF_FAILING = ((0, 0), (7_000, 20_000), (7_000, 0), (10_000_000, 10_000_000))
"""Fees for cancelling, and penalties for not delivering."""
DEAR_FEES = (FeeRow("grid", DSO, 800_000, 1_000_000),)


class Administrator:
    """The hostile administrator's acts."""

    def __init__(self, market: Market, retailer: Retailer) -> None:
        self.market = market
        self._slot = retailer.dated_slot

    # Terms

    def set_rules(self) -> None:
        """Rules that move openings, gates and deadlines, from some slot on."""
        market, model, draw = self.market, self.market.model, self.market.random
        slot = self._slot()
        report_s = draw.choice((0, 600, 3_600))
        fee, penalty = draw.choice(PRICES_OF_FAILING)
        rules = msgspec.structs.replace(
            QUICK,
            opens_s=draw.choice((1_800, 3_600, 3_600, 5_400, 7_200)),
            gate_lead_s=draw.choice((0, 300, 300, 900, 1_800)),
            seed_deadline_s=draw.choice((180, 240, 300, 900, 1_800)),
            report_deadline_s=report_s,
            final_s=draw.choice((report_s, report_s + 1_800, 4 * 3_600, 4 * 3_600, 400 * DAY_S)),
            cancel_fee=fee,
            shortfall_penalty=penalty,
            price_band=draw.choice(((-500_000, 4_000_000), (-50_000, 260_000))),
        )
        before, after = model.has_opened(slot), market.now_s >= rules.opening_s(slot)
        member = draw.choice((DSO, DSO, DSO, OTHER_DSO))
        arguments = RulesArguments(AREA, slot, rules)
        code = market.attempt("set_market_rules", arguments, member, admin=True)
        assert not ((before or after) and market.changed), "rules are posted for an open slot"
        assert before or after or code != "TERMS_FROZEN"
        if not code:
            assert member == DSO
            model.rules.post(slot, rules)
            model.pass_time(market.now_s)

    def set_fees(self) -> None:
        """Fees, dear ones too, from some slot on."""
        slot, rows = self._slot(), self.market.random.choice((FEES, OTHER_FEES, DEAR_FEES))
        arguments = FeesArguments(AREA, slot, list(rows))
        if self.market.date("set_fees", arguments, slot, DSO, admin=True):
            self.market.model.fees.post(slot, rows)

    def post_chain(self) -> None:
        """A chain of the DSO that nobody can reveal, or the end of its part."""
        market, model, slot = self.market, self.market.model, self._slot()
        anchor = market.random.choice(("f" * 64, None))
        arguments = SeedChainArguments(AREA, slot, anchor)
        if market.date("post_seed_chain", arguments, slot, DSO, admin=True):
            assert anchor is not None, "the area's DSO has left the draw"
            model.chains[DSO].post(slot, anchor)
            model.tips.pop((DSO, slot), None)

    def set_capacity(self) -> None:
        """A capacity: lower from an open gate on, any other from an unopened slot on."""
        market, model, draw = self.market, self.market.model, self.market.random
        zone, slot = draw.choice(ZONES), self._slot()
        watts = [draw.choice((0, 1_000, UNLIMITED)) for _ in range(2)]
        held = model.capacities[zone].at(slot) or (UNLIMITED, UNLIMITED)
        lower = all(new <= old for new, old in zip(watts, held, strict=True))
        asked = [None if watt == UNLIMITED else watt for watt in watts]
        arguments = CapacityArguments(zone, asked[0], asked[1], slot, "works")
        code = market.attempt("set_zone_capacity", arguments, DSO, admin=True)
        starts, opened = slot % SLOT_S == 0, model.has_opened(slot)
        closed_slot = model.closed_slot if model.closed_slot >= SLOT else 0
        lawful = starts and slot > closed_slot and (lower or not opened)
        assert (not code) == lawful, f"a capacity, lower: {lower}, opened: {opened}, is {code}"
        if lawful:
            model.capacities[zone].post(slot, (watts[0], watts[1]))

    # Safety acts

    def pause(self) -> None:
        """Pause a zone or the whole area."""
        self._set_paused(paused=True)

    def resume(self) -> None:
        """Resume a zone."""
        self._set_paused(paused=False)

    def _set_paused(self, *, paused: bool) -> None:
        market, model = self.market, self.market.model
        zone, member = market.random.choice((*ZONES, ROOT)), market.random.choice((DSO, OTHER_DSO))
        name = "pause_zone" if paused else "resume_zone"
        code = market.attempt(name, PauseArguments(zone, "works"), member, admin=True)
        assert (not code) == (member == DSO and (zone in model.paused) != paused)
        if not code:
            (model.paused.add if paused else model.paused.discard)(zone)

    def lock(self) -> None:
        """Carry the regulator's act on a trader: in turn, early or again."""
        market, model, draw = self.market, self.market.model, self.market.random
        trader = draw.choice(market.town.traders)
        lock = draw.random() < 0.5
        sequence = model.acts + draw.choice((0, 1, 1, 1, 2))
        arguments = market.town.lock_token(trader, sequence, lock=lock)
        code = market.attempt("record_act", arguments, draw.choice((DSO, *RETAILERS)))
        if sequence == model.acts + 1:
            assert not code
            model.acts += 1
            (model.locked.add if lock else model.locked.discard)(trader.did)
        else:
            assert not market.changed

    def set_clock(self) -> None:
        """Set the clock of the demonstration back, on, or far on."""
        market = self.market
        step_s = market.random.choice((-3_600, -900, -60, 0, 60, 600, 400 * DAY_S))
        real_s, anchor_s = market.town.engine.now_s, market.now_s + step_s
        arguments = ClockArguments(AREA, real_s, anchor_s, 1)
        code = market.attempt("set_clock", arguments, DSO, admin=True)
        assert not (code == "" and step_s > DAY_S), "a million gates are due"
        assert code in ("", "CLOCK_BACKWARDS", "CLOCK_AHEAD")
        if not code:
            market.ahead_s += step_s
            market.let_pass(0)

    # Meters

    def retire_meter(self) -> None:
        """Retire a meter, of the hostile client or of an honest trader."""
        market, model = self.market, self.market.model
        trader, slot = market.random.choice(market.town.traders), self._slot()
        member = market.random.choice((DSO, DSO, OTHER_DSO))
        arguments = RetirementArguments(trader.meter, slot)
        if market.date("retire_meter", arguments, slot, member, admin=True):
            assert member == DSO
            model.supplies[trader.meter].post(slot, None)
            model.certificates[trader.meter].post(slot, None)

    def certify(self) -> None:
        """Another certificate of a meter: other powers, no source, another holder."""
        market, model, draw = self.market, self.market.model, self.market.random
        trader, slot = draw.choice(market.town.traders[:2]), self._slot()
        holder = draw.choice((trader, market.hostile))
        powers = draw.choice(((POWER_W, POWER_W), (0, 0), (400, POWER_W)))
        source = draw.choice(("solar", ""))
        signed = draw.random() < 0.6
        arguments = MeterArguments(
            meter=trader.meter,
            holder=holder.did,
            zone=trader.zone,
            grid_level=7,
            import_w=powers[0],
            export_w=powers[1],
            from_slot=slot,
            source=source,
            hold=market.town.hold_token(holder, trader.meter) if signed else None,
        )
        held = model.certificate(trader.meter, slot)
        held_by = None if held is None else held.holder
        if market.date("register_certified_meter", arguments, slot, DSO, admin=True):
            assert signed or held_by == holder.did, "a meter is given without a signature"
            if held_by != holder.did:
                model.supplies[trader.meter].post(slot, None)
            certificate = Certificate(holder.did, trader.zone, *powers, source)
            model.certificates[trader.meter].post(slot, certificate)

    def exchange_again(self) -> None:
        """An exchange with other registers than recorded, or with more than a meter can count."""
        market, draw = self.market, self.market.random
        known = [(m, s) for m, line in market.model.exchanged.items() for s in line]
        if known and draw.random() < 0.7:
            meter, slot = draw.choice(known[-5:])
            shown = market.model.exchanged[meter][slot]
            closing = shown.closing[0], shown.closing[1] + draw.choice((0, 1, 10**6))
            arguments, transient = market.exchange(meter, slot, closing, shown.opening)
        else:
            meter = market.hostile.meter
            measured = market.model.lines[meter][-3:-1]
            ahead = market.model.closed_slot + 10 * SLOT_S
            slot = draw.choice((*measured, *measured, ahead))
            shown = market.model.measured[meter].get(slot, (0, 0))
            closing = shown[0], shown[1] + 10**6
            arguments, transient = market.exchange(meter, slot, closing, (0, 0))
        market.attempt("exchange_meter", arguments, DSO, admin=True, transient=transient)
        assert not market.changed

    # Oracles

    def revoke_node(self) -> None:
        """Revoke one of the oracle's nodes, now or later; as another DSO it may not."""
        market, model, draw = self.market, self.market.model, self.market.random
        named = model.oracle(model.newest)
        if named is None or draw.random() < 0.5:  # a set takes an hour to replace
            return
        did = draw.choice(named.nodes)
        slot = model.due + draw.choice((-SLOT_S, 0, 4 * SLOT_S))
        member = draw.choice((DSO, OTHER_DSO))
        arguments = RevocationArguments(AREA, did, slot)
        code = market.attempt("revoke_oracle_node", arguments, member, admin=True)
        if not code:
            assert member == DSO
            assert slot <= model.revoked.get(did, slot), "a revocation is put off"
            model.revoked[did] = slot

    def appoint_oracle(self) -> None:
        """Appoint another operator, which names no nodes."""
        slot = self._slot()
        arguments = AppointmentArguments(AREA, OTHER_ORACLE, slot)
        if self.market.date("appoint_oracle", arguments, slot, DSO, admin=True):
            self.market.model.operators.post(slot, OTHER_ORACLE)

    def name_nodes(self) -> None:
        """Nodes named by an operator that nobody has appointed, or none to spare."""
        market, slot = self.market, self._slot()
        nodes = [did_key(key_of(f"false node {number}").public) for number in range(4)]
        member, count = market.random.choice(((OTHER_ORACLE, 4), (ORACLE, 2)))
        arguments = OracleArguments(AREA, slot, nodes[:count], 1)
        code = market.attempt("set_oracle_nodes", arguments, member, admin=True)
        appointed = market.model.operators.at(slot)
        assert code or (member == appointed == OTHER_ORACLE), "an operator was not appointed"
        if not code:
            assert not market.model.has_opened(slot)
            market.name_nodes(slot, member, nodes)

    def report_wrongly(self) -> None:
        """A report with a boundary, a signature, a root or registers that cannot be."""
        market, model, draw = self.market, self.market.model, self.market.random
        meter = draw.choice(market.town.traders).meter
        boundaries = sorted(model.measured[meter])
        if not boundaries:
            return
        boundary = draw.choice(boundaries[-4:])
        shown = model.measured[meter][boundary]
        nodes = model.oracle(boundary)
        honest = set(market.oracle_keys) - set(model.revoked)
        rank = "oracle" if nodes is not None and set(nodes.nodes) <= honest else "dso"
        choice = draw.randrange(5)
        if choice == 0:  # ahead of its time, or of no slot
            later = draw.choice((boundary + 40 * SLOT_S, boundary + 1))
            leaf = market.leaf(meter, later, shown)
            assert market.report(later, [leaf], rank="dso")
        elif choice == 1:  # far above what may have passed
            leaf = market.leaf(meter, boundary + SLOT_S, (shown[0], shown[1] + 10**7))
            assert market.report(boundary + SLOT_S, [leaf], rank="dso")
        elif choice == 2 and rank == "oracle":  # too few nodes
            leaf = market.leaf(meter, boundary, shown)
            code = market.report(boundary, [leaf], rank=rank, signers=2)
            assert code == "SIGNATURES_FEW"
        elif choice == 3:  # what is known already
            known = model.ranks[meter, boundary]
            final_s = boundary + model.rules_of(boundary).final_s
            if known in ("dso", rank) and market.now_s < final_s:
                other = market.leaf(meter, boundary, (shown[0] + 1, shown[1]))
                assert market.report(boundary, [other], rank=known) == "READING_REPEATED"
                assert not market.report(
                    boundary, [market.leaf(meter, boundary, shown)], rank=known
                )
                assert not market.changed
        else:  # below the register before
            earlier = [one for one in boundaries if one < boundary]
            if earlier and not model.exchanged[meter]:
                low = model.measured[meter][earlier[-1]][1] - 1
                if low >= 0:
                    leaf = market.leaf(meter, boundary, (shown[0], low))
                    assert market.report(boundary, [leaf], rank="dso")

    def validate(self) -> None:
        """Other registers than the oracle's, as validated by the DSO, as far as they are plausible."""
        market, model, draw = self.market, self.market.model, self.market.random
        meter = draw.choice(market.town.traders).meter
        settled = [b for b in model.measured[meter] if b - SLOT_S in market.true[meter]]
        if not settled:
            return
        boundary = draw.choice(sorted(settled)[-12:])
        if boundary - SLOT_S in model.exchanged[meter] or boundary in model.exchanged[meter]:
            return
        low, high = market.true[meter][boundary - SLOT_S], market.true[meter][boundary]
        shown = (draw.randint(low[0], high[0]), draw.randint(low[1], high[1]))
        code = market.report(boundary, [market.leaf(meter, boundary, shown)], rank="dso")
        final = market.now_s >= boundary + model.rules_of(boundary).final_s
        final = final or model.moves_final(meter, boundary, market.now_s)
        lawful = ("", "READING_REPEATED", "READING_BACKWARDS", "READING_IMPLAUSIBLE")
        also = ("SLOT_FINAL", "NO_MARKET_RULES") if final else ()
        assert code in (*lawful, *also), code

    # The supplier of last resort

    def name_last_resort(self) -> None:
        """Name a supplier of last resort that has not agreed."""
        market, slot = self.market, self._slot()
        retailer = market.random.choice(RETAILERS)
        arguments = LastResortArguments(AREA, retailer, slot)
        if market.date("name_supplier_of_last_resort", arguments, slot, DSO, admin=True):
            market.model.last_resorts.post(slot, retailer)

    def assign_last_resort(self) -> None:
        """Assign the supplier of last resort to a meter."""
        market, model, slot = self.market, self.market.model, self._slot()
        trader = market.random.choice(market.town.traders)
        supply, named = model.supply(trader.meter, slot), model.last_resorts.at(slot)
        arguments = AssignmentArguments(trader.meter, slot)
        name = "assign_supplier_of_last_resort"
        if market.date(name, arguments, slot, DSO, admin=True):
            assert supply is not None, "a meter is supplied that nobody has signed for"
            assert named is not None
            daily_wh = supply.daily_import_wh
            supplier = Supplier(supply.holder, named, named, daily_wh)
            model.supplies[trader.meter].post(slot, supplier)
