"""What the hostile retailer does, as client and as administrator.

It pads its transactions, takes steps of runs out of turn, withholds seeds and shows wrong ones, dates
its terms to any slot, moves money and registers what it can.
"""

from __future__ import annotations

import msgspec

from chaincode.accounts.balances import ACCOUNTS, Account, folding_of
from chaincode.accounts.entries import ENTRIES, epoch_part, open_epoch
from chaincode.accounts.payments import PaymentArguments, PayoutArguments
from chaincode.area.intents import JOIN_TYP, PAYOUT_TYP, Join, Payout
from chaincode.area.joining import ParticipantArguments
from chaincode.area.tariffs import ResidualArguments, ResidualPrices, VatArguments
from chaincode.area.vat import Vat
from chaincode.area.zones import AreaName
from chaincode.metering.last_resort import AgreementArguments
from chaincode.metering.supply import (
    SUPPLY_TYP,
    ClientVatArguments,
    OfftakeArguments,
    SupplyArguments,
    SupplyConsent,
)
from chaincode.slots.draw import SeedChainArguments
from chaincode.slots.gate import SlotArguments
from tests.chaincode.hostile.market import HONEST_RETAILER, HOSTILE_RETAILER, Market, chain_named
from tests.chaincode.hostile.market_model import Supplier
from tests.chaincode.town import AREA, SLOT, SLOT_S, key_of

PADDING = {"padding": b"x" * 1_000}
RUNS = ("clear_slot", "settle_slot", "correct_slot")
DAY_S = 86_400
PRICE_MAX = 1_000_000_000
OWN = HOSTILE_RETAILER


class Retailer:
    """The hostile retailer's acts."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self._payments: list[PaymentArguments] = []
        self._payouts: list[PayoutArguments] = []

    # Runs

    def pad(self) -> None:
        """A step of a run with data that nobody reads."""
        name = self.market.random.choice((*RUNS, "close_gate", "fold_accounts"))
        slot = self._near_slot()
        arguments = AreaName(AREA) if name == "fold_accounts" else SlotArguments(AREA, slot)
        code = self.market.attempt(name, arguments, OWN, transient=PADDING)
        assert code == "TRANSIENT_UNEXPECTED", "a padded step is taken"

    def step(self) -> None:
        """A step of a run that may be due or not."""
        market = self.market
        name, slot = market.random.choice(RUNS), self._near_slot()
        before = market.phase(slot)
        code = market.step(name, slot, OWN, admin=market.random.random() < 0.3)
        if code:
            assert market.phase(slot) == before
            return
        if name == "clear_slot" and before == "CLOSED":
            assert not market.model.awaits(slot), "cleared while a seed is awaited"
        if name == "settle_slot":
            assert market.now_s >= slot + SLOT_S

    def step_due(self) -> None:
        """A step of a run that is due, so that it stands in the middle."""
        market = self.market
        waiting = [*market.uncleared[:1], *market.unsettled[:2], *sorted(market.due_corrections)]
        if waiting:
            slot = market.random.choice(waiting)
            for name in RUNS:
                market.step(name, slot, OWN)

    def close_gate(self) -> None:
        """Close a gate, which may be due or not."""
        due = self.market.model.due
        self.market.close(due + self.market.random.choice((0, 0, SLOT_S, -SLOT_S)), OWN)

    def close_empty_gates(self) -> None:
        """Close several gates as if nobody had ordered."""
        market, model = self.market, self.market.model
        until = model.due + market.random.choice((0, SLOT_S, 3 * SLOT_S, 4_000 * SLOT_S))
        slots = range(model.due, until + SLOT_S, SLOT_S)
        lawful = len(slots) < 100 and all(
            slot not in model.orders and market.now_s >= model.gate_s(slot) for slot in slots
        )
        code = market.close_empty(until, OWN)
        assert code or lawful, "gates that are not due or not empty are closed"
        assert not (lawful and not market.uncleared and code), f"empty gates: {code}"

    def fold(self) -> None:
        """Fold, whether something is due or not."""
        code = self.market.attempt("fold_accounts", AreaName(AREA), OWN)
        assert code in ("", "NOTHING_TO_FOLD")
        assert code or self.market.changed

    # Seeds

    def post_chain(self) -> None:
        """Take part in the draw from some slot on, or no longer."""
        market, model = self.market, self.market.model
        slot = self.dated_slot()
        chain = chain_named(f"{OWN} {market.number()}")
        anchor = market.random.choice((chain.anchor, chain.anchor, chain.anchor, "0" * 64, None))
        arguments = SeedChainArguments(AREA, slot, anchor)
        if self._dated("post_seed_chain", arguments, slot):
            market.chains[chain.anchor] = chain
            model.chains[OWN].post(slot, anchor)
            model.tips.pop((OWN, slot), None)

    def reveal(self) -> None:
        """Reveal: the next link, a wrong one, out of order, again, or for no slot at all."""
        market, model = self.market, self.market.model
        slot = market.random.choice([*market.uncleared, *market.settled[-1:], model.due])
        seed = market.random.choice(("0" * 64, *market.model.shown.values()))
        if slot in model.gates and OWN in model.gates[slot].seeds and market.random.random() < 0.8:
            tip = model.tip(OWN, slot)[1]
            chain = market.chains.get(model.chains[OWN].at(slot) or "")
            if chain is not None and chain.left(tip):
                seed = market.random.choice((chain.before(tip),) * 5 + ("0" * 64,))
        market.reveal(OWN, slot, seed)

    # Terms

    def set_prices(self) -> None:
        """Residual prices, dear ones too, from some slot on."""
        slot, draw = self.dated_slot(), self.market.random
        prices = [self._price() for _ in range(draw.choice((1, 2, 100)))]
        arguments = ResidualArguments(AREA, slot, prices)
        if self._dated("set_residual_prices", arguments, slot, admin=True):
            self.market.model.prices[OWN].post(slot, prices)

    def _price(self) -> ResidualPrices:
        draw = self.market.random
        if draw.random() < 0.05:
            return ResidualPrices(PRICE_MAX, -PRICE_MAX)
        return ResidualPrices(draw.choice((0, 250_000, 300_000)), draw.choice((0, 60_000)))

    def set_vat(self) -> None:
        """Its own VAT."""
        slot, rate = self.dated_slot(), self.market.random.choice((0, 200_000, 1_000_000))
        if self._dated("set_vat", VatArguments(AREA, slot, "taxable", rate), slot):
            self.market.model.vats[OWN, OWN].post(slot, Vat("taxable", rate))

    def set_client_vat(self) -> None:
        """The VAT of the holder of a meter, which it may supply or not."""
        market, model = self.market, self.market.model
        slot, trader = self.dated_slot(), market.random.choice(market.town.traders)
        arguments = ClientVatArguments(trader.meter, slot, "taxable", 1_000_000)
        supply = model.supply(trader.meter, slot)
        if self._dated("set_client_vat", arguments, slot):
            assert supply is not None
            assert OWN in (supply.retailer, supply.offtaker), "a stranger sets a client's VAT"
            model.vats[OWN, supply.holder].post(slot, Vat("taxable", 1_000_000))

    def accept_supply(self) -> None:
        """Accept a supply: with the client's signature, or with one that names another."""
        market, model = self.market, self.market.model
        slot, draw = self.dated_slot(), market.random
        named = draw.choice((OWN, OWN, OWN, HONEST_RETAILER))
        member = draw.choice((OWN, OWN, named))
        signer = draw.choice((market.hostile, market.hostile, market.hostile, *market.town.traders))
        meter = market.hostile.meter
        daily_wh = draw.choice((0, 0, 9_600, 2_400_000_000))
        consent = SupplyConsent(
            daily_import_wh=daily_wh,
            from_slot=slot,
            meter=meter,
            offtaker=draw.choice((None, None, HONEST_RETAILER)),
            retailer=named,
            v=1,
            valid_until_s=slot,
            **market.place,
        )
        arguments = SupplyArguments(market.sign(signer, SUPPLY_TYP, consent))
        if self._dated("accept_supply", arguments, slot, member=member):
            assert signer is market.hostile
            assert member == named
            offtaker = consent.offtaker or named
            supplier = Supplier(signer.did, named, offtaker, daily_wh)
            model.supplies[meter].post(slot, supplier)

    def agree_to_offtake(self) -> None:
        """Agree to take a surplus, in the name of either retailer."""
        slot = self.dated_slot()
        arguments = OfftakeArguments(self.market.hostile.meter, slot)
        member = self.market.random.choice((OWN, HONEST_RETAILER))
        self._dated("agree_to_offtake", arguments, slot, member=member)

    def agree_to_last_resort(self) -> None:
        """Agree to be the supplier of last resort, for longer or shorter."""
        market = self.market
        named = [*market.model.last_resorts.versions, self.dated_slot()]
        slot = market.random.choice(named[-3:])
        until_slot = slot + market.random.choice((0, 40, 4_000)) * SLOT_S
        arguments = AgreementArguments(AREA, slot, until_slot)
        market.attempt("agree_to_last_resort", arguments, OWN, admin=True)

    # Money and clients

    def credit(self) -> None:
        """Credit a client, its own or not, much or little, once or twice."""
        market, draw = self.market, self.market.random
        trader = draw.choice((*market.town.traders[:2], market.hostile, *market.town.traders))
        amount_nano = draw.choice((1, 1_000_000, 20_000_000, 200_000_000, 10**18))
        reference = f"c{market.number()}"
        payment = PaymentArguments(AREA, trader.did, amount_nano, reference)
        if self._payments and draw.random() < 0.3:
            payment = draw.choice(self._payments)
            payment = msgspec.structs.replace(
                payment, amount_nano=payment.amount_nano + draw.choice((0, 1))
            )
        code = market.attempt("credit_client", payment, OWN)
        if code:
            return
        assert market.retailers[payment.participant] == OWN
        if market.changed:
            self._payments.append(payment)
            amounts = {payment.participant: payment.amount_nano, OWN: -payment.amount_nano}
            market.model.posted(amounts)

    def pay_out(self) -> None:
        """Pay out what the client has signed, more than is free, twice, or at a bad time."""
        market, draw = self.market, self.market.random
        did = market.hostile.did
        reference = f"d{market.number()}"
        free_nano = self._free_nano(did)
        more_nano = max(1, free_nano + 1)
        amount_nano = draw.choice((1, 1, max(1, free_nano), more_nano, more_nano, 10**15))
        payout = Payout(
            amount_nano=amount_nano,
            reference=reference,
            retailer=OWN,
            v=1,
            valid_until_s=market.now_s + draw.choice((DAY_S, DAY_S, DAY_S, 0, 31 * DAY_S)),
            **market.place,
        )
        arguments = PayoutArguments(market.sign(market.hostile, PAYOUT_TYP, payout))
        if self._payouts and draw.random() < 0.2:
            arguments = draw.choice(self._payouts)
        code = market.attempt("debit_client", arguments, OWN)
        if code or not market.changed:
            return
        assert amount_nano <= free_nano, "more is paid out than is free"
        waiting = [slot for slot in market.uncleared if self._has_orders(slot)]
        assert not waiting, "money that a closed book may take is paid out"
        self._payouts.append(arguments)
        market.model.posted({did: -amount_nano, OWN: amount_nano})

    def _has_orders(self, slot: int) -> bool:
        names = self.market.model.orders.get(slot, {})
        return any(name.startswith(self.market.hostile.did) for name in names)

    def _free_nano(self, did: str) -> int:
        """Balance less reserve less claims, and less what waits to be taken away."""
        view, context = self.market.town.view, self.market.town.engine.reading()
        value = view.rows.get(ACCOUNTS.key(AREA, did))
        account = Account() if value is None else ACCOUNTS.decode(value)
        free_nano = account.balance_nano - account.reserved_nano - account.claims_nano
        for epoch in range(folding_of(context, AREA).epoch, open_epoch(context, AREA) + 1):
            for _, entry in ENTRIES.range(context, AREA, epoch_part(epoch), did):
                free_nano -= max(0, -entry.money_nano) + max(0, entry.reserved_nano)
        return free_nano

    def admit_strangers(self) -> None:
        """Register strangers: with their signature, with a forged one, or for another retailer."""
        market, draw = self.market, self.market.random
        named = draw.choice((OWN, HONEST_RETAILER))
        until_s = market.now_s + DAY_S
        join = Join(number=1, retailer=named, v=1, valid_until_s=until_s, **market.place)
        token = market.sign(key_of(f"stranger {market.number()}"), JOIN_TYP, join)
        forged = draw.random() < 0.5
        if forged:
            token = token[:-20] + ("A" if token[-20] != "A" else "B") + token[-19:]
        code = market.attempt("register_participant", ParticipantArguments(token), OWN)
        assert (not code) == (named == OWN and not forged), code

    # Slots

    def dated_slot(self) -> int:
        """Where a term is dated to: a slot that is open, past, far ahead, next, or no slot."""
        market, draw = self.market, self.market.random
        newest = market.model.newest
        return draw.choice((
            newest + SLOT_S, newest + SLOT_S, newest + 2 * SLOT_S, newest + 3 * SLOT_S,
            newest, market.model.due, market.model.due + SLOT_S,
            market.model.closed_slot, SLOT, newest + 90 * DAY_S, newest + 1,
        ))  # fmt: skip

    def _near_slot(self) -> int:
        market = self.market
        due = market.model.due
        near = (due, due - SLOT_S, due - 2 * SLOT_S, due - 4 * SLOT_S, due + SLOT_S, due + 1)
        old = market.settled[:1]
        return max(SLOT, market.random.choice((*near, *old)))

    def _dated(
        self,
        name: str,
        arguments: msgspec.Struct,
        slot: int,
        *,
        admin: bool = False,
        member: str = OWN,
    ) -> bool:
        """Date a term to a slot; whether it holds now. It must not if the slot has opened."""
        return self.market.date(name, arguments, slot, member, admin=admin)
