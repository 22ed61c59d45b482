"""What must hold after each round, whatever was done: terms, phases, energy, certificates, money."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from chaincode.accounts.balances import ACCOUNTS, folding_of, is_client
from chaincode.accounts.claims import CLAIM_SUMS, CLAIMS
from chaincode.accounts.entries import ENTRIES
from chaincode.area.rules import rules_at
from chaincode.area.seed_chains import chain_at
from chaincode.area.tariffs import FEES as FEE_ROWS
from chaincode.area.tariffs import VATS, Tariffs
from chaincode.area.vat import Vat
from chaincode.clearing.run import TRADES
from chaincode.context import Context
from chaincode.metering.meters import METERS, supply_at, version_at
from chaincode.metering.oracles import oracle_at
from chaincode.settlement.settled_slot import METER_PAGES, SETTLEMENTS, MeterSettled
from chaincode.state import page_part, slot_part
from tests.chaincode.hostile.market import Market
from tests.chaincode.hostile.market_model import Certificate, Shown, Supplier, Terms
from tests.chaincode.town import AREA, SLOT_S


class Settled:
    """What slots have settled, read again when something has moved them."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self.energy: dict[tuple[int, str], Shown] = {}
        self.minted: dict[tuple[int, str], int] = {}
        self.estimated: set[tuple[int, str]] = set()

    def read(self, slot: int) -> list[str]:
        """Read the energies of a slot: what trades have delivered, and what they left."""
        rows = self._market.town.view.rows
        part = slot_part(slot)
        sums = SETTLEMENTS.decode(rows[SETTLEMENTS.key(AREA, part)])
        meters: list[MeterSettled] = []
        for number in range(sums.meter_pages):
            meters += METER_PAGES.decode(
                rows[METER_PAGES.key(AREA, part, page_part(number))]
            ).meters
        bought, sold = Counter[str](), Counter[str]()
        row = self._market.row(slot)
        for number in range(0 if row is None else row.trade_pages):
            for trade in TRADES.decode(rows[TRADES.key(AREA, part, page_part(number))]).trades:
                assert trade.settled_wh is not None
                bought[trade.buy_meter] += trade.settled_wh
                sold[trade.sell_meter] += trade.settled_wh
        for meter in meters:
            place = slot, meter.meter
            self.energy[place] = (
                meter.residual_wh + bought[meter.meter], meter.surplus_wh + sold[meter.meter]
            )  # fmt: skip
            self.minted[place] = meter.minted_wh
            self.estimated.discard(place)
            if meter.estimated:
                self.estimated.add(place)
        return [meter.meter for meter in meters]


def check_terms(market: Market, slots: Iterable[int]) -> None:
    """The terms of open slots are those that their opening froze."""
    context = market.town.engine.reading()
    for slot in slots:
        frozen = market.model.frozen[slot]
        assert _terms(market, context, slot) == frozen, f"the terms of {slot} have changed"


def _terms(market: Market, context: Context, slot: int) -> Terms:
    model = market.model
    schedule = FEE_ROWS.at(context, AREA, slot=slot)
    tariffs = Tariffs(context, AREA, slot)
    pairs = list(model.frozen[slot].vats)
    vats = VATS.at_many(context, [(AREA, *pair) for pair in pairs], slot=slot)
    chains = {name: chain_at(context, AREA, name, slot) for name in model.frozen[slot].chains}
    return Terms(
        rules=rules_at(context, AREA, slot),
        fees=() if schedule is None else tuple(schedule.rows),
        prices={name: tariffs.residual(name) for name in model.frozen[slot].prices},
        vats={pair: vat or Vat() for pair, vat in zip(pairs, vats, strict=True)},
        chains={name: None if row is None else row.anchor for name, row in chains.items()},
        oracle=oracle_at(context, AREA, slot),
        meters={name: _meter(context, name, slot) for name in model.frozen[slot].meters},
    )


def _meter(context: Context, name: str, slot: int) -> tuple[Certificate | None, Supplier | None]:
    row = METERS.get(context, name)
    assert row is not None
    version, supply = version_at(context, row, slot), supply_at(context, row, slot)
    certificate = version and Certificate(
        version.holder, version.zone, version.import_w, version.export_w, version.source
    )
    supplier = supply and Supplier(
        supply.holder, supply.retailer, supply.offtaker, supply.daily_import_wh
    )
    return certificate, supplier


def check_phases(market: Market) -> None:
    """No slot stands still: it waits for its seeds, for its end or for its readings, or is done."""
    model, now_s = market.model, market.now_s
    assert now_s < model.gate_s(model.due), "a gate that is due is open"
    for slot in market.uncleared:
        assert market.phase(slot) == "CLOSED"
        first = market.uncleared[0]
        assert slot != first or model.awaits(slot), "a slot is not cleared, and no seed is awaited"
    for slot in market.unsettled:
        if slot in market.uncleared or now_s < slot + SLOT_S:
            continue  # with a clock that was set back a slot may have begun to settle before its end
        assert market.phase(slot) == "CLEARED"
        deadline_s = slot + SLOT_S + model.rules_of(slot).report_deadline_s
        assert now_s < deadline_s, "a slot past its report deadline is not settled"
        assert any(model.energy(meter, slot)[1] for meter in model.meters_of(slot))
    for slot in market.running:
        assert slot in market.unsettled, f"a run of {slot} was left"
    for slot in sorted(market.stirred):
        if slot not in market.unsettled and slot in market.settled:
            assert market.phase(slot) == "SETTLED"


def check_energy(market: Market, settled: Settled, slots: Iterable[int]) -> None:
    """Settled energies are what the registers say, and certificates are for no more."""
    model, changed = market.model, dict[str, int]()
    for slot in slots:
        if market.phase(slot) != "SETTLED":
            continue
        names = settled.read(slot)
        final_s = slot + SLOT_S + model.rules_of(slot).final_s
        assert names == model.meters_of(slot), "a meter that takes part is not settled"
        for name in names:
            changed.setdefault(name, slot)
            place = slot, name
            certificate = model.certificate(name, slot)
            assert certificate is not None
            energy, estimated = model.energy(name, slot)
            if market.now_s < final_s:
                assert settled.energy[place] == energy, f"{name} in {slot}"
                assert (place in settled.estimated) == estimated
            assert not (place in settled.estimated and settled.energy[place][1])
            minted_wh = settled.energy[place][1] if certificate.source else 0
            assert settled.minted[place] == minted_wh, "certificates without energy"
    for name, since in changed.items():
        _check_stretches(market, settled, name, since)


def _check_stretches(market: Market, settled: Settled, meter: str, since: int) -> None:
    """Between two measured boundaries the slots sum to the difference of the registers."""
    model = market.model
    for before, after in model.stretches(meter, since):
        slots = range(before, after, SLOT_S)
        if market.now_s >= before + SLOT_S + model.rules_of(before).final_s:
            continue  # its first slot is final and changes no more
        if not all((slot, meter) in settled.energy for slot in slots):
            continue
        energies = [settled.energy[slot, meter] for slot in slots]
        total = sum(one[0] for one in energies), sum(one[1] for one in energies)
        passed = model.difference(meter, before, after)
        assert total == passed, f"{meter} from {before} to {after}: {total}, registers {passed}"
        assert sum(settled.minted[slot, meter] for slot in slots) <= passed[1]


def check_money(market: Market, settled: Settled) -> None:
    """Money sums to zero, and each owner has what it was posted and paid, no more and no less."""
    worth: Counter[str] = Counter()
    minted_wh = total_nano = 0
    folding = folding_of(market.town.engine.reading(), AREA)
    for owner, value in _under(market, ACCOUNTS.key(AREA, "")):
        account = ACCOUNTS.decode(value)
        total_nano += account.balance_nano
        worth[owner] += account.balance_nano - account.claims_nano
        minted_wh += account.minted_wh
        assert min(account.reserved_nano, account.claims_nano) >= 0
        if is_client(owner) and folding.large is None:
            assert account.balance_nano >= 0, f"{owner} is below zero"
            assert not (account.balance_nano and account.claims_nano), f"{owner} owes and has"
    for name, value in _under(market, ENTRIES.key(AREA, "")):
        entry = ENTRIES.decode(value)
        worth[name.split("/")[1]] += entry.money_nano
        total_nano += entry.money_nano
        minted_wh += entry.minted_wh
    assert total_nano == 0, "money does not sum to zero"
    claims: Counter[tuple[str, str]] = Counter()
    for name, value in _under(market, CLAIMS.key(AREA, "")):
        client, _, retailer = name.split("/")
        claims[retailer, client] += CLAIMS.decode(value).amount_nano
    sums: Counter[tuple[str, str]] = Counter()
    for name, value in _under(market, CLAIM_SUMS.key(AREA, "")):
        retailer, client = name.split("/")
        sums[retailer, client] = CLAIM_SUMS.decode(value).amount_nano
        worth[retailer] += sums[retailer, client]
    assert claims == sums
    for owner in {*worth, *market.model.worth}:
        assert worth[owner] == market.model.worth[owner], f"{owner} has not what it was posted"
    if not market.running and not market.stirred:
        assert minted_wh == sum(settled.minted.values()), "certificates without a settlement"


def _under(market: Market, prefix: str) -> Iterator[tuple[str, bytes]]:
    for key, value in market.town.view.range(prefix, prefix[:-1] + "0"):
        yield key[len(prefix) :], value
