"""Rounds of a market in which some are honest and one member, one client, one administrator are not.

In a round time passes, hostile acts happen before, between and after the steps of honest members, and
then everything that must hold is looked at. Now and then the honest are away for some rounds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from chaincode.errors import Broken, Refused
from tests.chaincode.hostile.administrator import Administrator
from tests.chaincode.hostile.client import Client
from tests.chaincode.hostile.facts import (
    Settled,
    check_energy,
    check_money,
    check_phases,
    check_terms,
)
from tests.chaincode.hostile.honest import Honest
from tests.chaincode.hostile.market import Market
from tests.chaincode.hostile.retailer import Retailer

SUMS_EVERY = 25  # rounds after which all terms and all slots that are not final are looked at
SLOTS_LOOKED_AT = 30
ACTS_BETWEEN_MAX = 5

Act = Callable[[], None]


class Machine:
    """One market, played from one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rounds = 0
        self.market = market = Market(seed)
        self.settled = Settled(market)
        self.kinds: Counter[str] = Counter()
        retailer = Retailer(market)
        administrator = Administrator(market, retailer)
        self._any_time = _acts(Client(market), retailer, administrator)
        self._sudden = (administrator.pause, administrator.resume, administrator.lock,
                        administrator.validate, retailer.step_due, retailer.pay_out)  # fmt: skip
        self._between_left = 0
        self._away = 0
        self.honest = Honest(market, self._between)

    def play(self, rounds: int) -> None:
        """Play so many rounds; a failure tells the seed and the last acts."""
        for _ in range(rounds):
            self.rounds += 1
            try:
                self._round()
            except (AssertionError, Broken, LookupError, Refused, ValueError) as error:
                acts = self.market.last_acts()
                error.add_note(f"seed {self.seed}, round {self.rounds}; the last acts:\n{acts}")
                raise

    def _round(self) -> None:
        market, draw = self.market, self.market.random
        market.let_pass(draw.choice((0, 1, 59, 60, 200, 300, 450)))
        for _ in range(draw.choice((1, 1, 2, 3))):
            self._hostile()
        self._away = self._away - 1 if self._away else 12 * (draw.random() < 0.01)
        if self._away:
            return
        most = self._between_left = draw.choice((0, 1, 2, ACTS_BETWEEN_MAX))
        self.honest.do_duty()
        if self._between_left != most:  # what hostile acts have made possible is due now
            self._between_left = 0
            self.honest.run_slots()
        self._look()

    def _look(self) -> None:
        market, model = self.market, self.market.model
        deep = self.rounds % SUMS_EVERY == 0
        opened = [slot for slot in model.frozen if slot >= model.due]
        check_phases(market)
        check_terms(market, opened if deep else opened[:1])
        last = market.settled[-SLOTS_LOOKED_AT:]
        slots = {*market.stirred, *(last if deep else ())}
        check_energy(market, self.settled, sorted(slots))
        market.stirred.clear()
        check_money(market, self.settled)

    def _between(self) -> None:
        if self._between_left and self.market.random.random() < 0.5:
            self._between_left -= 1
            self._hostile(in_the_middle=True)

    def _hostile(self, *, in_the_middle: bool = False) -> None:
        draw = self.market.random
        hurries = in_the_middle and draw.random() < 0.4
        act = draw.choice(self._sudden if hurries else self._any_time)
        name = act.__qualname__
        if in_the_middle and name == "Administrator.set_clock":
            return
        self.market.said(f"-- {name}")
        self.kinds[name] += 1
        phases = {self.market.phase(slot) for slot in self.market.running}
        act()
        self.market.seen.update(f"{name} in {phase}" for phase in phases)


def _acts(*people: object) -> Sequence[Act]:
    """Every public method of a hostile person is an act; some are drawn more often."""
    names = [(one, name) for one in people for name in vars(type(one)) if name[0] != "_"]
    acts: list[Act] = [getattr(one, name) for one, name in names if name not in HELPERS]
    return [act for act in acts for _ in range(OFTEN.get(act.__name__, 1))]


HELPERS = ("dated_slot",)
KINDS = {
    f"{person.__name__}.{name}"
    for person in (Client, Retailer, Administrator)
    for name in vars(person)
    if name[0] != "_" and name not in HELPERS
}
"""Every kind of act."""
OFTEN = {
    "place": 5,
    "step_due": 4,
    "step": 2,
    "cancel": 2,
    "amend": 3,
    "reveal": 3,
    "credit": 3,
    "pay_out": 3,
    "post_chain": 2,
    "accept_supply": 2,
}
