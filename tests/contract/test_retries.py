"""A write that is sent twice, or out of order, happens once.

One life of a market is driven twice over: with every transaction once, and with every
transaction sent again at once and once more at the end. Both end in the same state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import pytest

from chaincode import contract
from chaincode.area.capacities import CapacityArguments
from chaincode.area.rule_changes import RulesArguments
from chaincode.area.tariffs import FeesArguments, ResidualArguments, VatArguments
from chaincode.area.zones import PauseArguments
from chaincode.clearing.empty_slots import EmptyGatesArguments
from chaincode.consortium.organisations import OrganisationArguments
from chaincode.errors import Refused
from chaincode.metering.certification import RetirementArguments
from chaincode.metering.last_resort import (
    AgreementArguments,
    AssignmentArguments,
    LastResortArguments,
)
from chaincode.metering.oracles import (
    AppointmentArguments,
    OracleArguments,
    RevocationArguments,
)
from chaincode.metering.supply import ClientVatArguments, OfftakeArguments
from chaincode.slots.draw import SeedChainArguments
from ledger_network.port import Receipt
from tests.contract.stage.cast import (
    AREA,
    DSO,
    EAST,
    GUEST,
    MILLION,
    ORACLE,
    R1,
    R2,
    SLOT,
    SLOT_S,
    WEST,
    Engine,
    Rules,
    market_rules,
)
from tests.contract.stage.market import Market, Opener, Prepare, Submission
from tests.contract.stage.tokens import order_of

NEXT = SLOT + SLOT_S
REPEATED_WITH_A_CODE = {
    "initialise": "ALREADY_INITIALISED",
    "register_area": "ALREADY_REGISTERED",
    "register_zone": "ALREADY_REGISTERED",
    "register_organisation": "ALREADY_REGISTERED",
    "register_participant": "ALREADY_REGISTERED",
    "pause_zone": "ZONE_STATE",
    "resume_zone": "ZONE_STATE",
    "close_gate": "SLOT_PHASE",
    "close_empty_gates": "SLOT_PHASE",
    "reveal_seed": "SEED_REVEALED",
    "clear_slot": "SLOT_PHASE",
    "settle_slot": "SLOT_PHASE",
    "retire_meter": "METER_UNKNOWN",
    "correct_slot": "NOTHING_TO_CORRECT",
    "fold_accounts": "NOTHING_TO_FOLD",
}
"""Transactions that refuse their repetition; every other answers it and changes nothing."""


class Twice(Market):
    """Sends every transaction a second time and checks that nothing comes of it."""

    def __init__(self, engine: Engine, rules: Rules) -> None:
        self.sent: list[str] = []
        super().__init__(engine, rules)

    def submit(
        self,
        name: str,
        arguments: msgspec.Struct,
        member: str = DSO,
        *,
        admin: bool = False,
        transient: Mapping[str, bytes] | None = None,
    ) -> Receipt:
        """Submit, then submit the same again."""
        receipt = super().submit(name, arguments, member, admin=admin, transient=transient)
        self.sent.append(name)
        before = self.state_hash()
        try:
            super().submit(name, arguments, member, admin=admin, transient=transient)
            code = ""
        except Refused as refused:
            code = refused.code
        assert code == REPEATED_WITH_A_CODE.get(name, ""), name
        assert self.state_hash() == before, name
        return receipt

    def leap(self, steps: Prepare) -> None:
        """Leap nowhere: what another engine carries out is not sent twice."""
        steps(self)

    def submit_together(self, submissions: Sequence[Submission]) -> None:
        """Submit one after the other, each twice."""
        for one in submissions:
            self.submit(one.name, one.arguments, one.member, admin=one.admin)


def live(market: Market) -> str:
    """A life with every write of the table in it; the state it ends in."""
    guest = OrganisationArguments(GUEST, "retailer")
    market.submit("register_organisation", guest, DSO, admin=True)
    market.traders("S", "B")
    market.submit("set_zone_capacity", CapacityArguments(EAST, 1000, None, SLOT, "works"), DSO)
    supplies(market)
    market.submit("pause_zone", PauseArguments(WEST, "works"), DSO)
    market.submit("resume_zone", PauseArguments(WEST, "works"), DSO)
    market.clear(SLOT)  # folds what was paid in
    market.debit("B", MILLION)
    orders = """
        who  id  side  price   wh
        S    s   sell  100000  500
        S    t   sell  100000  100
        B    b   buy   120000  600
        """
    market.place(orders, slot=NEXT)
    market.amend("B", "b", 1, [(120_000, 500)], slot=NEXT)
    market.cancel("S", "t", slot=NEXT)
    market.act("lock", "S", 1)
    market.act("unlock", "S", 2)
    market.clear(NEXT)
    market.dispute("raise", "B", 0, slot=NEXT)
    market.dispute("withdraw", "B", 0, slot=NEXT)
    market.report("meter import export\nS 0 400\nB 500 0", NEXT)
    market.settle(NEXT)
    market.validate(market.leaf("S", NEXT + SLOT_S, export_wh=10))
    market.exchange("S", NEXT, (0, 410), (0, 410))
    market.correct(NEXT)
    market.clock.now_s = NEXT + 2 * SLOT_S
    market.submit("close_empty_gates", EmptyGatesArguments(AREA, NEXT + SLOT_S), R1)
    nodes = RevocationArguments(AREA, market.oracle.nodes[3], SLOT)
    market.submit("revoke_oracle_node", nodes, DSO, admin=True)
    return market.state_hash()


def supplies(market: Market) -> None:
    """What supply there is beside the first: another offtaker, a last resort, a meter's end."""
    market.submit("set_vat", VatArguments(AREA, SLOT, "taxable", 100_000), R1)
    market.submit("set_client_vat", ClientVatArguments("S", SLOT, "taxable", 100_000), R1)
    market.submit("agree_to_offtake", OfftakeArguments("S", NEXT), R2)
    market.supply("S", from_slot=NEXT, offtaker=R2)
    market.submit(
        "name_supplier_of_last_resort", LastResortArguments(AREA, R2, NEXT), DSO, admin=True
    )
    agreement = AgreementArguments(AREA, NEXT, NEXT + 10 * SLOT_S)
    market.submit("agree_to_last_resort", agreement, R2, admin=True)
    market.submit("assign_supplier_of_last_resort", AssignmentArguments("B", NEXT), DSO)
    market.submit("retire_meter", RetirementArguments("B", NEXT + SLOT_S), DSO)


def test_every_write_sent_twice_happens_once(engine: Engine, open_market: Opener) -> None:
    rules = market_rules(cancel_fee=1000)
    once = open_market(rules)
    twice = Twice(engine, rules)
    try:
        assert live(twice) == live(once)
        assert twice.account("S") == once.account("S")
        assert set(twice.sent) == {row.name for row in contract.TRANSACTIONS if row.writes}
        twice.check_end()
    finally:
        twice.close()


def test_late_copies_of_old_writes_change_nothing(market: Market) -> None:
    market.traders("S", "B")
    tokens = market.place("""
        who  id  side  price   wh
        S    s   sell  100000  500
        B    b   buy   120000  500
        """)
    amend = market.tokens.amend("B", "b", 1, [(110_000, 500)])
    assert market.codes([amend], name="amend_orders") == ["AMENDED"]
    market.clear()
    signed = market.report("meter import export\nS 0 500\nB 500 0")
    market.settle()
    before = market.state_hash()

    assert market.codes([*tokens, tokens[0]]) == ["EXISTS"] * 3
    assert market.codes([amend], name="amend_orders") == ["EXISTS"]
    market.send_report(signed)
    frozen, late = "TERMS_FROZEN", "DATED_BEFORE_GATE"
    for name, arguments, member, admin, expected in (
        ("set_market_rules", RulesArguments(AREA, SLOT, market.rules.market), DSO, True, frozen),
        ("set_fees", FeesArguments(AREA, SLOT, []), DSO, True, frozen),
        (
            "set_residual_prices",
            ResidualArguments(AREA, SLOT, [market.rules.prices]),
            R1,
            True,
            frozen,
        ),
        ("post_seed_chain", SeedChainArguments(AREA, SLOT, market.seeds[0]), DSO, False, frozen),
        ("set_zone_capacity", CapacityArguments(EAST, 1, 1, SLOT, "works"), DSO, False, late),
    ):
        try:
            market.submit(name, arguments, member, admin=admin)
            code = ""
        except Refused as refused:
            code = refused.code
        assert code == expected, name

    for name, arguments, member in (
        ("appoint_oracle", AppointmentArguments(AREA, ORACLE, SLOT), DSO),
        ("set_oracle_nodes", OracleArguments(AREA, SLOT, market.oracle.nodes, 1), ORACLE),
        ("retire_meter", RetirementArguments("S", SLOT), DSO),
        ("agree_to_offtake", OfftakeArguments("S", SLOT), R2),
        ("set_client_vat", ClientVatArguments("S", SLOT, "taxable", 1), R1),
    ):
        with pytest.raises(Refused, match="TERMS_FROZEN"):
            market.submit(name, arguments, member, admin=True)
    market.supply("S")  # the very same supply is no new one

    assert market.state_hash() == before


def test_copies_of_a_batch_in_any_order_place_each_order_once(open_market: Opener) -> None:
    hashes: list[str] = []
    for order in ((0, 1, 2), (2, 1, 2, 0, 0, 1)):
        market = open_market()
        market.traders("A", "B", "C")
        tokens = [
            market.tokens.sheet("A", [order_of("s", "sell", [(100_000, 500)])]),
            market.tokens.sheet("B", [order_of("b", "buy", [(120_000, 300)])]),
            market.tokens.sheet("C", [order_of("b", "buy", [(110_000, 300)])]),
        ]
        for place in order:
            market.send([tokens[place]])
        market.clear()
        hashes.append(market.state_hash())

    assert hashes[0] == hashes[1]
