"""The port on the embedded engine: receipts, refusals, look-ups, limits, private values, sharing."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from chaincode.context import BYTES_MAX, READS_MAX, WRITES_MAX
from chaincode.errors import Refused
from identity.keys import PrivateKey
from ledger_network.embedded.commit.committer import Cut
from ledger_network.embedded.engine import EmbeddedLedger
from ledger_network.embedded.recovery.export import export
from ledger_network.embedded.recovery.verify import verify
from ledger_network.port import Invalid, Ledger, Member, Receipt
from tests.ledger_network.embedded.notebook import (
    Key,
    Keys,
    Many,
    Notebook,
    Nothing,
    Place,
    Places,
    Put,
    Sheets,
    Span,
    Transfer,
)
from tests.ledger_network.embedded.workbench import (
    NORTH,
    CountingDisk,
    HeldNotebook,
    open_ledger,
    outcomes_of,
    put_all,
    run,
    value_of,
)


def test_a_receipt_tells_the_place_and_the_answer(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_ledger(tmp_path) as ledger:
            port: Ledger = ledger
            first, second = await put_all(ledger, ("put", Put("a", 7)), ("add", Put("a", 2)))

            assert (first.block, first.index, first.read(int)) == (1, 0, 7)
            assert (second.block, second.index, second.read(int)) == (2, 0, 9)
            assert await port.transaction(second.transaction) == second
            assert (port.channel, port.contract) == ("testing", "notebook")
            assert (await port.health()).height == 3

    run(work())


def test_blocks_are_chained_and_list_their_transactions(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_ledger(tmp_path) as ledger:
            receipts = await put_all(ledger, *[("put", Put("a", 7))] * 3)
            blocks = [await ledger.block(number) for number in range(4)]

            assert await ledger.block(4) is None
            assert await ledger.block(-1) is None
            found = [block for block in blocks if block is not None]
            assert [block.number for block in found] == [0, 1, 2, 3]
            assert [block.previous for block in found[1:]] == [block.hash for block in found[:-1]]
            assert found[0].transactions == []
            for block, receipt in zip(found[1:], receipts, strict=True):
                assert block.transactions == [(receipt.transaction, "VALID")]

    run(work())


def test_the_contract_is_told_who_and_when(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_ledger(tmp_path) as ledger:
            admin = Member("south", "admin")
            receipt = await ledger.submit("note_who", Nothing(), member=admin)
            expected = ["south", "admin", 1_750_000_000, receipt.transaction]
            assert msgspec.json.decode(receipt.result) == expected
            raw = await ledger.evaluate("who", Nothing(), member=NORTH)
            assert msgspec.json.decode(raw) == ["north", "client", 1_750_000_000, "who"]

    run(work())


@pytest.mark.parametrize("member", [Member("east"), Member(""), Member("north/../south")])
def test_a_stranger_is_invalid(tmp_path: Path, member: Member) -> None:
    async def work() -> None:
        async with open_ledger(tmp_path) as ledger:
            with pytest.raises(Invalid, match="not a member"):
                await ledger.submit("put", Put("a", 1), member=member)
            with pytest.raises(Invalid, match="not a member"):
                await ledger.evaluate("get", Key("a"), member=member)

    run(work())


def refusal(path: Path, name: str, args: msgspec.Struct, **transient: bytes) -> str:
    """The code with which `name` is refused; nothing reaches the log."""

    async def work() -> str:
        async with open_ledger(path) as ledger:
            await put_all(
                ledger,
                *[
                    ("put_many", Many(f"r{each}/", WRITES_MAX))
                    for each in range(READS_MAX // WRITES_MAX)
                ],
                ("put", Put("r9", 1)),
            )
            height, state = (await ledger.health()).height, await ledger.state_hash()
            with pytest.raises(Refused) as refused:
                await ledger.submit(name, args, member=NORTH, transient=transient)
            assert (await ledger.health()).height == height
            assert await ledger.state_hash() == state
            return refused.value.code

    return run(work())


@pytest.mark.parametrize(
    ("name", "args", "code"),
    [
        ("put_many", Many("w", WRITES_MAX + 1), "WRITES_TOO_MANY"),
        ("put_many", Many("w", 5, BYTES_MAX // 5), "BYTES_TOO_MANY"),
        ("put", Put("k" * BYTES_MAX, 1), "BYTES_TOO_MANY"),
        ("sum_into", Span("r", "s", into="sum"), "READS_TOO_MANY"),
        ("page_then_put", Span("r", "s", rows=3, into="sum"), "WRITE_AFTER_PAGE"),
        ("private_range", Place("p", "a"), "PRIVATE_RANGE"),
        ("transfer", Transfer("no", "body", 5), "TOO_LITTLE"),
        ("nothing_of_the_kind", Nothing(), "NO_SUCH_TRANSACTION"),
    ],
)
def test_what_goes_over_a_limit_is_refused_and_leaves_nothing(
    tmp_path: Path, name: str, args: msgspec.Struct, code: str
) -> None:
    assert refusal(tmp_path, name, args) == code


def test_transient_data_counts_towards_the_bytes(tmp_path: Path) -> None:
    args = Places("p", ["a"])

    assert refusal(tmp_path, "private_put", args, a=bytes(BYTES_MAX)) == "BYTES_TOO_MANY"


@pytest.mark.parametrize(
    ("name", "args"), [("put_many", Many("w", WRITES_MAX)), ("sum", Span("w", "x"))]
)
def test_a_transaction_at_a_limit_is_taken(tmp_path: Path, name: str, args: msgspec.Struct) -> None:
    async def work() -> None:
        async with open_ledger(tmp_path) as ledger:
            await put_all(ledger, ("put_many", Many("w", WRITES_MAX)), (name, args))

    run(work())


def test_an_evaluation_writes_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_ledger(tmp_path) as ledger:
            with pytest.raises(Refused, match="put was evaluated"):
                await ledger.evaluate("put", Put("a", 1), member=NORTH)
            with pytest.raises(Refused, match="NO_SUCH_TRANSACTION"):
                await ledger.evaluate("nothing_of_the_kind", Nothing(), member=NORTH)
            assert (await ledger.health()).height == 1

    run(work())


def test_a_fault_of_the_contract_itself_reaches_the_caller_and_no_block(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_ledger(tmp_path) as ledger:
            with pytest.raises(KeyError):
                await ledger.submit("private_put", Places("p", ["absent"]), member=NORTH)
            with pytest.raises(UnicodeEncodeError):
                await ledger.submit("put", Put("\ud800", 1), member=NORTH)
            await put_all(ledger, ("put", Put("a", 1)))
            assert (await ledger.health()).height == 2

    run(work())


def test_a_transaction_id_is_taken_once(tmp_path: Path) -> None:
    """The same nonce by the same member is the same id: in one block, and later."""

    async def work() -> None:
        cut = Cut(transactions_max=2, linger_s=600)
        async with EmbeddedLedger.open(
            tmp_path,
            contract=Notebook(),
            channel="testing",
            members=["north", "south"],
            entropy=bytes,
            cut=cut,
        ) as ledger:
            calls = [ledger.submit("put", Put("a", value), member=NORTH) for value in (1, 2)]
            done = await asyncio.gather(*calls, return_exceptions=True)
            assert sorted(type(each).__name__ for each in done) == ["Invalid", "Receipt"]
            assert await outcomes_of(ledger, 1) == ["VALID", "DUPLICATE_TXID"]
            (receipt,) = [each for each in done if isinstance(each, Receipt)]
            calls = [
                ledger.submit("put", Put("b", 3), member=Member("south")),
                ledger.submit("put", Put("a", 4), member=NORTH),
            ]
            done = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(each).__name__ for each in done] == ["Receipt", "Invalid"]
            assert await ledger.transaction(receipt.transaction) == receipt

    run(work())
    assert verify(tmp_path).fault is None


@pytest.mark.parametrize("transaction", ["", "no hex", "00" * 32, "é", "0" * 63])
def test_an_unknown_transaction_is_none(tmp_path: Path, transaction: str) -> None:
    async def work() -> None:
        async with open_ledger(tmp_path) as ledger:
            assert await ledger.transaction(transaction) is None

    run(work())


def test_a_transaction_that_lost_is_none(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_ledger(tmp_path, cut=Cut(transactions_max=2, linger_s=600)) as ledger:
            calls = [ledger.submit("add", Put("a", 1), member=NORTH) for _ in range(2)]
            await asyncio.gather(*calls, return_exceptions=True)
            block = await ledger.block(1)
            assert block is not None
            assert [code for _, code in block.transactions] == ["VALID", "MVCC_READ_CONFLICT"]
            lost = block.transactions[1][0]
            assert await ledger.transaction(lost) is None

    run(work())


def test_a_hundred_that_wait_share_one_sync(tmp_path: Path) -> None:
    async def work() -> None:
        disk = CountingDisk()
        cut = Cut(transactions_max=100, linger_s=600)
        async with open_ledger(tmp_path, cut=cut, disk=disk) as ledger:
            before = disk.done["sync"], disk.done["append"]
            calls = [ledger.submit("put", Put(f"k{n}", n), member=NORTH) for n in range(100)]
            receipts = await asyncio.gather(*calls)

            assert {receipt.block for receipt in receipts} == {1}
            assert sorted(receipt.index for receipt in receipts) == list(range(100))
            assert (disk.done["sync"], disk.done["append"]) == (before[0] + 1, before[1] + 1)

    run(work())


def test_a_block_is_cut_by_its_bytes_too(tmp_path: Path) -> None:
    async def work() -> None:
        cut = Cut(bytes_max=40_000, transactions_max=8, linger_s=600)
        ledger = open_ledger(tmp_path, cut=cut)
        waiting = {
            asyncio.create_task(ledger.submit("put_many", Many(f"{n}/", 10, 1_500), member=NORTH))
            for n in range(7)
        }
        receipts: list[Receipt] = []
        while len(receipts) < 6:  # the seventh fills no block; closing lets it go
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            receipts += [task.result() for task in done]
        await ledger.close()
        receipts += [await task for task in waiting]
        # A block takes two of some 15 KB; a third would go over.
        assert sorted((each.block, each.index) for each in receipts) == [
            (1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (3, 1), (4, 0),
        ]  # fmt: skip

    run(work())


def test_more_than_the_queue_holds_wait_to_be_let_in(tmp_path: Path) -> None:
    async def work() -> None:
        cut = Cut(waiting_max=2, waiting_bytes_max=1_000)
        async with open_ledger(tmp_path, cut=cut) as ledger:
            calls = [ledger.submit("put", Put(f"k{n}", n), member=NORTH) for n in range(200)]
            receipts = await asyncio.gather(*calls)
            assert len({receipt.transaction for receipt in receipts}) == 200

    run(work())


def test_a_caller_who_goes_away_stops_nobody_and_takes_nothing_back(tmp_path: Path) -> None:
    async def work() -> None:
        contract = HeldNotebook("add")
        async with open_ledger(tmp_path, contract=contract) as ledger:
            gone = asyncio.create_task(ledger.submit("add", Put("gone", 1), member=NORTH))
            async with contract.after_reading():
                gone.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await gone
            await put_all(ledger, ("put", Put("here", 1)))
        async with open_ledger(tmp_path) as ledger:
            assert [await value_of(ledger, key) for key in ("gone", "here")] == [1, 1]

    run(work())


def test_close_finishes_what_is_in_flight(tmp_path: Path) -> None:
    async def work() -> None:
        ledger = open_ledger(tmp_path)
        calls = [
            asyncio.create_task(ledger.submit("put", Put(f"k{n}", n), member=NORTH))
            for n in range(50)
        ]
        await asyncio.sleep(0)
        await ledger.close()
        assert len(await asyncio.gather(*calls)) == 50
        await ledger.close()
        with pytest.raises(Invalid, match="closed"):
            await ledger.submit("put", Put("late", 1), member=NORTH)
        assert not (await ledger.health()).writable
        async with open_ledger(tmp_path) as again:
            assert [await value_of(again, f"k{n}") for n in range(50)] == list(range(50))

    run(work())


def test_private_values_stay_off_the_blocks_and_their_hashes_are_there(tmp_path: Path) -> None:
    secret = b"a reading that nobody else may see"
    digest = sha256(secret).hexdigest()

    async def work() -> None:
        async with open_ledger(tmp_path) as ledger:
            places, place = Places("readings", ["m1"]), Place("readings", "m1")
            await ledger.submit("private_put", places, member=NORTH, transient={"m1": secret})
            assert await ledger.evaluate("private_get", place, member=NORTH) == (
                msgspec.json.encode(secret.decode())
            )
            raw = await ledger.evaluate("private_hash", place, member=NORTH)
            assert msgspec.json.decode(raw) == digest
            other = await ledger.evaluate("private_get", Place("else", "m1"), member=NORTH)
            assert other == b"null"

    run(work())
    for path in (tmp_path / "blocks").iterdir():
        assert secret not in path.read_bytes()
    assert secret in (tmp_path / "private.log").read_bytes()
    shown = msgspec.json.encode(list(export(tmp_path)))
    assert secret not in shown
    assert digest.encode() in shown


def test_a_deleted_private_value_leaves_the_state_and_stays_in_the_members_log(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        async with open_ledger(tmp_path) as ledger:
            places, place = Places("p", ["m1"]), Place("p", "m1")
            await ledger.submit("private_put", places, member=NORTH, transient={"m1": b"secret"})
            await put_all(ledger, ("private_delete", place))
            assert await ledger.evaluate("private_get", place, member=NORTH) == b"null"
            assert await ledger.evaluate("private_hash", place, member=NORTH) == b"null"

    run(work())
    assert b"secret" in (tmp_path / "private.log").read_bytes()
    assert verify(tmp_path).fault is None


def test_a_purged_value_is_in_no_file_and_its_hash_stays_in_the_block(tmp_path: Path) -> None:
    """Log, state, write-ahead log and snapshots are searched, while the ledger is open too."""
    secret, kept = b"the 15 minutes of somebody", b"another value, not purged"

    def holders(wanted: bytes) -> list[str]:
        found: list[str] = []
        for path in tmp_path.rglob("*"):
            with suppress(FileNotFoundError, IsADirectoryError):  # a snapshot is being taken
                found += [path.name] * (wanted in path.read_bytes())
        return found

    async def work() -> None:
        async with open_ledger(tmp_path, cut=Cut(segment_blocks=2)) as ledger:
            values = {"m1": secret, "m2": kept}
            for _ in range(3):
                await ledger.submit(
                    "private_put", Places("p", ["m1", "m2"]), member=NORTH, transient=values
                )
            assert holders(secret) != []
            await put_all(ledger, ("purge", Place("p", "m1")))
            for number in range(100):  # a reader may be in the way of emptying the log
                if holders(secret):
                    await put_all(ledger, ("put", Put("next", number)))
            assert holders(secret) == []
            assert await ledger.evaluate("private_get", Place("p", "m1"), member=NORTH) == b"null"
            found = await ledger.evaluate("private_get", Place("p", "m2"), member=NORTH)
            assert found == msgspec.json.encode(kept.decode())
            again = {"m1": b"a new value after the purge"}
            await ledger.submit("private_put", Places("p", ["m1"]), member=NORTH, transient=again)

    run(work())
    assert holders(secret) == []
    assert "private.log" in holders(kept)
    assert sha256(secret).hexdigest().encode() in msgspec.json.encode(list(export(tmp_path)))
    report = verify(tmp_path)
    assert (report.fault, report.purged, report.private_values) == (None, 1, 4)


def test_a_purge_in_the_block_of_the_value_takes_only_what_came_before(tmp_path: Path) -> None:
    async def work() -> list[str]:
        cut = Cut(transactions_max=2, linger_s=600)
        async with open_ledger(tmp_path, cut=cut) as ledger:
            put = ledger.submit(
                "private_put", Places("p", ["m1"]), member=NORTH, transient={"m1": b"secret"}
            )
            purge = ledger.submit("purge", Place("p", "m1"), member=NORTH)
            first, second = await asyncio.gather(put, purge)
            value = await ledger.evaluate("private_get", Place("p", "m1"), member=NORTH)
            assert (value == b"null") == (first.index < second.index)
            return [value.decode()]

    (value,) = run(work())
    assert (b"secret" in (tmp_path / "private.log").read_bytes()) == (value != "null")
    assert verify(tmp_path).fault is None


@pytest.mark.parametrize("workers", [1, 2])
def test_many_signatures_are_answered_in_their_order(tmp_path: Path, workers: int) -> None:
    key = PrivateKey.from_seed(bytes(32))
    good = [(key.public.raw, text, key.sign(text)) for text in (b"%d" % n for n in range(300))]
    bad = [(raw, text + b"!", mark) for raw, text, mark in good[:1]]

    async def work() -> None:
        async with open_ledger(tmp_path, verifiers=workers) as ledger:
            for checks, expected in ((good, b"true"), (good + bad, b"false")):
                sheets = Sheets("s/", ["token"], [], checks)
                receipt = await ledger.submit("place_sheets", sheets, member=NORTH)
                assert receipt.result == expected

    run(work())


def test_rows_are_read_in_any_number_and_order(tmp_path: Path) -> None:
    """Batches of statements, rows kept in memory and rows from the state answer alike."""

    async def work() -> None:
        async with open_ledger(tmp_path) as ledger:
            for start in range(0, 3_000, 1_000):
                for number in range(start, start + 1_000, 250):
                    await put_all(ledger, ("put", Put(f"k{number}", number)))
            for count in (1, 2, 15, 16, 17, 127, 130, 1_024, 1_100, 2_999):
                keys = [f"k{(number * 7) % 3_000}" for number in range(count)] * 2
                expected = [int(key[1:]) if int(key[1:]) % 250 == 0 else 0 for key in keys]
                for _ in range(2):
                    raw = await ledger.evaluate("get_many", Keys(keys), member=NORTH)
                    assert msgspec.json.decode(raw) == expected

    run(work())
