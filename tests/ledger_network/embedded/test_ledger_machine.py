"""The embedded ledger against a dictionary: random transactions, several at once, restarts."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chaincode.errors import Refused
from ledger_network.embedded.commit.committer import Cut
from ledger_network.embedded.engine import EmbeddedLedger
from ledger_network.embedded.recovery.rebuild import rebuild
from ledger_network.embedded.recovery.verify import verify
from ledger_network.port import Conflict, Receipt
from tests.ledger_network.embedded.notebook import Key, Keys, Notebook, Put, Span, Transfer
from tests.ledger_network.embedded.workbench import NORTH, open_ledger

KEYS = ["a", "b", "c", "d"]
Request = tuple[str, msgspec.Struct]

key = st.sampled_from(KEYS)
number = st.integers(0, 9)
put = st.tuples(st.just("put"), st.builds(Put, key, number))
add = st.tuples(st.just("add"), st.builds(Put, key, number))
delete = st.tuples(st.just("delete"), st.builds(Key, key))
transfer = st.tuples(st.just("transfer"), st.builds(Transfer, key, key, number))
total = st.tuples(st.just("sum_into"), st.builds(Span, st.just("a"), st.just("e"), into=key))
request = st.one_of(put, add, delete, transfer, total)


def done(model: dict[str, int], name: str, args: msgspec.Struct) -> None:
    """Carry out a transaction that committed."""
    if isinstance(args, Put):
        model[args.key] = args.value + (model.get(args.key, 0) if name == "add" else 0)
    elif isinstance(args, Key):
        model.pop(args.key, None)
    elif isinstance(args, Transfer):
        source, target = model.get(args.source, 0), model.get(args.target, 0)
        assert source >= args.amount
        model[args.source] = source - args.amount
        model[args.target] = target + args.amount
    elif isinstance(args, Span):
        model[args.into] = sum(model.values())


class LedgerMachine(RuleBasedStateMachine):
    """Committed transactions, in the order of their places, make the model."""

    @initialize()
    def open(self) -> None:
        self.path = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        self.model: dict[str, int] = {}
        self.ledger = self._opened()

    def _opened(self) -> EmbeddedLedger:
        return open_ledger(self.path, cut=Cut(transactions_max=3, segment_blocks=4), verifiers=1)

    @rule(several=st.lists(request, min_size=1, max_size=5))
    def submit_at_once(self, several: list[Request]) -> None:
        async def submit() -> list[Receipt | BaseException]:
            calls = [self.ledger.submit(*each, member=NORTH) for each in several]
            return await asyncio.gather(*calls, return_exceptions=True)

        placed: list[tuple[int, int, Request]] = []
        for each, fate in zip(several, self.runner.run(submit()), strict=True):
            if isinstance(fate, Receipt):
                placed.append((fate.block, fate.index, each))
            else:
                assert isinstance(fate, Conflict | Refused)
        for _, _, (name, args) in sorted(placed, key=lambda place: place[:2]):
            done(self.model, name, args)

    @rule()
    def restart(self) -> None:
        self.runner.run(self.ledger.close())
        self.ledger = self._opened()
        assert self.ledger.notices == []

    @rule()
    def rebuild(self) -> None:
        state_hash = self.runner.run(self.ledger.state_hash())
        self.runner.run(self.ledger.close())
        assert rebuild(self.path, counts=Notebook().counts_in_state_hash).state_hash == state_hash
        self.ledger = self._opened()

    @invariant()
    def values_are_those_of_the_model(self) -> None:
        raw = self.runner.run(self.ledger.evaluate("get_many", Keys(KEYS), member=NORTH))
        assert msgspec.json.decode(raw) == [self.model.get(each, 0) for each in KEYS]
        raw = self.runner.run(self.ledger.evaluate("sum", Span("a", "e"), member=NORTH))
        assert msgspec.json.decode(raw) == sum(self.model.values())

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.runner.run(self.ledger.close())
            self.runner.close()
            assert verify(self.path).fault is None
            shutil.rmtree(self.path)


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=20, stateful_step_count=10)
