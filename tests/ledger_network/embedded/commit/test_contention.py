"""Who wins when transactions meet: versions of keys, phantoms in ranges, one block or several."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import msgspec
import pytest

from ledger_network.embedded.commit.committer import Cut
from ledger_network.embedded.commit.validation import KEYS_MAX
from ledger_network.embedded.engine import EmbeddedLedger
from ledger_network.embedded.recovery.export import export
from ledger_network.port import Conflict, Receipt
from tests.ledger_network.embedded.notebook import Key, Many, Place, Places, Put, Span, Transfer
from tests.ledger_network.embedded.workbench import (
    NORTH,
    HeldNotebook,
    open_ledger,
    put_all,
    run,
    value_of,
)

Request = tuple[str, msgspec.Struct]
ROWS = [("put", Put(f"k{i}", i)) for i in range(1, 9, 2)]  # k1, k3, k5, k7


def met(path: Path, reader: Request, *between: Request) -> Receipt | Conflict:
    """The fate of `reader` when `between` commits after it was simulated on `ROWS`."""

    async def meet() -> Receipt | Conflict:
        contract = HeldNotebook(reader[0])
        async with open_ledger(path, contract=contract) as ledger:
            await put_all(ledger, *ROWS)
            slow = asyncio.create_task(ledger.submit(*reader, member=NORTH))
            async with contract.after_reading():
                await put_all(ledger, *between)
            try:
                return await slow
            except Conflict as lost:
                return lost

    return run(meet())


def outcome(fate: Receipt | Conflict) -> str:
    return "VALID" if isinstance(fate, Receipt) else str(fate).rsplit("(", 1)[1].rstrip(")")


@pytest.mark.parametrize(
    ("reader", "between", "expected"),
    [
        (("add", Put("k1", 1)), ("put", Put("k1", 9)), "MVCC_READ_CONFLICT"),
        (("add", Put("k1", 1)), ("put", Put("k1", 1)), "MVCC_READ_CONFLICT"),
        (("add", Put("k1", 1)), ("delete", Key("k1")), "MVCC_READ_CONFLICT"),
        (("add", Put("k2", 1)), ("put", Put("k2", 9)), "MVCC_READ_CONFLICT"),
        (("add", Put("k2", 1)), ("delete", Key("k2")), "VALID"),
        (("add", Put("k1", 1)), ("put", Put("k3", 9)), "VALID"),
        (("transfer", Transfer("k3", "k5", 1)), ("put", Put("k5", 9)), "MVCC_READ_CONFLICT"),
        (("delete", Key("k1")), ("put", Put("k1", 9)), "VALID"),
    ],
    ids=[
        "a changed value",
        "the same value written again",
        "a removed key",
        "a key that was absent and is there",
        "a key that was absent and is deleted again",
        "another key",
        "one of two keys read",
        "a blind delete",
    ],
)
def test_a_key_that_was_read_must_not_have_changed(
    tmp_path: Path, reader: Request, between: Request, expected: str
) -> None:
    assert outcome(met(tmp_path, reader, between)) == expected


@pytest.mark.parametrize(
    ("span", "between", "expected"),
    [
        (Span("k1", "k9", into="s"), ("put", Put("k4", 9)), "PHANTOM_READ_CONFLICT"),
        (Span("k1", "k9", into="s"), ("put", Put("k5", 9)), "PHANTOM_READ_CONFLICT"),
        (Span("k1", "k9", into="s"), ("delete", Key("k5")), "PHANTOM_READ_CONFLICT"),
        (Span("k1", "k9", into="s"), ("delete", Key("k4")), "VALID"),
        (Span("k1", "k9", into="s"), ("put", Put("k8", 9)), "PHANTOM_READ_CONFLICT"),
        (Span("k1", "k9", into="s"), ("put", Put("k9", 9)), "VALID"),
        (Span("k1", "k9", into="s"), ("put", Put("k0", 9)), "VALID"),
        (Span("k4", "k5", into="s"), ("put", Put("k4", 9)), "PHANTOM_READ_CONFLICT"),
        (Span("k1", "k9", rows=2, into="s"), ("put", Put("k2", 9)), "PHANTOM_READ_CONFLICT"),
        (Span("k1", "k9", rows=2, into="s"), ("put", Put("k3", 9)), "PHANTOM_READ_CONFLICT"),
        (Span("k1", "k9", rows=2, into="s"), ("put", Put("k30", 9)), "VALID"),
        (Span("k1", "k9", rows=2, into="s"), ("put", Put("k4", 9)), "VALID"),
        (Span("k1", "k9", rows=2, into="s"), ("delete", Key("k5")), "VALID"),
        (Span("k1", "k9", rows=4, into="s"), ("put", Put("k8", 9)), "VALID"),
        (Span("k9", "k1", into="s"), ("put", Put("k5", 9)), "VALID"),
    ],
    ids=[
        "added inside",
        "changed inside",
        "removed inside",
        "nothing removed inside",
        "added after the last row, inside",
        "added at the end, which is outside",
        "added before the start",
        "added to an empty range",
        "added before the reader stopped",
        "changed where the reader stopped",
        "added right after the reader stopped",
        "added beyond",
        "removed beyond",
        "added beyond a reader that stopped at the last row",
        "a range that ends before it starts",
    ],
)
def test_a_range_must_be_as_it_was_as_far_as_it_was_read(
    tmp_path: Path, span: Span, between: Request, expected: str
) -> None:
    assert outcome(met(tmp_path, ("sum_into", span), between)) == expected


def test_a_range_does_not_conflict_with_what_was_there_before(tmp_path: Path) -> None:
    reader = ("sum_into", Span("k1", "k9", into="s"))

    assert outcome(met(tmp_path, reader, ("put", Put("z", 1)), ("put", Put("y", 1)))) == "VALID"


def test_a_private_value_that_was_read_must_not_have_changed(tmp_path: Path) -> None:
    async def meet() -> None:
        contract = HeldNotebook("private_copy")
        async with open_ledger(tmp_path, contract=contract) as ledger:
            await private_put(ledger, b"one")
            slow = asyncio.create_task(
                ledger.submit("private_copy", Place("readings", "m1"), member=NORTH)
            )
            async with contract.after_reading():
                await private_put(ledger, b"two")
            with pytest.raises(Conflict, match="MVCC_READ_CONFLICT"):
                await slow

    async def private_put(ledger: EmbeddedLedger, value: bytes) -> None:
        places = Places("readings", ["m1"])
        await ledger.submit("private_put", places, member=NORTH, transient={"m1": value})

    run(meet())


def in_one_block(path: Path, *requests: Request) -> list[tuple[str, str]]:
    """Names and outcomes in the order of the one block that `requests` share, on `ROWS`."""

    async def prepare() -> None:
        async with open_ledger(path) as ledger:
            await put_all(ledger, *ROWS)

    async def meet() -> None:
        # The block is cut when all are there, so nobody has committed when the last one reads.
        cut = Cut(transactions_max=len(requests), linger_s=600)
        async with open_ledger(path, cut=cut) as ledger:
            calls = [ledger.submit(*request, member=NORTH) for request in requests]
            await asyncio.gather(*calls, return_exceptions=True)

    run(prepare())
    run(meet())
    *_, last = export(path)
    listed = cast("list[dict[str, str]]", last["transactions"])
    return [(each["name"], each["outcome"]) for each in listed]


def test_of_fifty_that_change_one_key_in_one_block_the_first_wins(tmp_path: Path) -> None:
    listed = in_one_block(tmp_path, *[("add", Put("k1", 1))] * 50)

    assert [outcome for _, outcome in listed] == ["VALID", *["MVCC_READ_CONFLICT"] * 49]


def test_of_fifty_that_write_one_key_blindly_all_win(tmp_path: Path) -> None:
    listed = in_one_block(tmp_path, *[("put", Put("k1", 1))] * 50)

    assert [outcome for _, outcome in listed] == ["VALID"] * 50


def test_an_earlier_transaction_of_the_same_block_makes_a_phantom(tmp_path: Path) -> None:
    listed = in_one_block(tmp_path, ("sum_into", Span("k1", "k9", into="s")), ("put", Put("k4", 1)))

    reader_is_first = listed[0][0] == "sum_into"
    assert dict(listed) == {
        "put": "VALID",
        "sum_into": "VALID" if reader_is_first else "PHANTOM_READ_CONFLICT",
    }


def test_one_that_lost_has_no_effect_on_others_of_its_block(tmp_path: Path) -> None:
    """Of two that read and write the same keys one wins; a transaction that read only what the loser would
    have written commits."""
    listed = in_one_block(
        tmp_path,
        ("transfer", Transfer("k3", "k5", 1)),
        ("transfer", Transfer("k3", "k7", 1)),
    )

    assert sorted(outcome for _, outcome in listed) == ["MVCC_READ_CONFLICT", "VALID"]

    async def look() -> list[int | None]:
        async with open_ledger(tmp_path) as ledger:
            return [await value_of(ledger, key) for key in ("k3", "k5", "k7")]

    assert run(look()) in ([2, 6, 7], [2, 5, 8])


def test_a_conflict_may_be_repeated_until_it_commits(tmp_path: Path) -> None:
    async def repeat(ledger: EmbeddedLedger) -> None:
        while True:
            try:
                await ledger.submit("add", Put("k1", 1), member=NORTH)
            except Conflict:
                continue
            return

    async def all_at_once() -> int | None:
        async with open_ledger(tmp_path) as ledger:
            await asyncio.gather(*[repeat(ledger) for _ in range(40)])
            return await value_of(ledger, "k1")

    assert run(all_at_once()) == 40


def test_a_simulation_that_was_overtaken_by_too_many_writes_is_sent_back(tmp_path: Path) -> None:
    """Memory of recent writes is bounded; who is older than it cannot be checked."""
    many = [("put_many", Many(f"m{index}/", 4_800)) for index in range(-(-KEYS_MAX // 4_800) + 1)]

    assert outcome(met(tmp_path, ("add", Put("k1", 1)), *many)) == "MVCC_READ_CONFLICT"
