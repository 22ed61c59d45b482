"""What a start puts right and what it does not: torn ends, lost states, snapshots, other folders."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from ledger_network.embedded.commit.committer import Cut
from ledger_network.embedded.engine import EmbeddedLedger
from ledger_network.embedded.folder.data_folder import DataFolder
from ledger_network.embedded.folder.disk import Disk
from ledger_network.embedded.folder.faults import DamagedLog, LedgerBusy, OtherLedger
from ledger_network.embedded.folder.members import make_keys
from ledger_network.embedded.log.block_log import FRAME_BYTES, SEGMENT_HEADER_BYTES, begin_log
from ledger_network.embedded.recovery.export import export
from ledger_network.embedded.recovery.rebuild import rebuild
from ledger_network.embedded.recovery.verify import verify
from tests.ledger_network.embedded.notebook import Key, Notebook, Place, Places, Put
from tests.ledger_network.embedded.workbench import NORTH, SEED, open_ledger, put_all, run, value_of

SEALING = Cut(segment_blocks=2)
SECRETS = {"a": b"one", "b": b"two"}


def made(path: Path, *, puts: int = 3, cut: Cut | None = None) -> str:
    """A ledger with `puts` blocks and one of private values; its state hash."""

    async def make() -> str:
        async with open_ledger(path, cut=cut) as ledger:
            for number in range(puts):
                await put_all(ledger, ("put", Put(f"k{number}", number)))
            places = Places("p", ["a", "b"])
            await ledger.submit("private_put", places, member=NORTH, transient=SECRETS)
            return await ledger.state_hash()

    return run(make())


def reopened(path: Path, *, cut: Cut | None = None) -> tuple[str, list[str]]:
    """State hash and notices of the ledger in `path`; it takes writes."""

    async def look() -> tuple[str, list[str]]:
        async with open_ledger(path, cut=cut) as ledger:
            secret = await ledger.evaluate("private_get", Place("p", "a"), member=NORTH)
            assert secret == b'"one"'
            found = await ledger.state_hash()
            await put_all(ledger, ("put", Put("~after", 1)))
            return found, ledger.notices

    return run(look())


def last_segment(path: Path) -> Path:
    return max((path / "blocks").iterdir())


@pytest.mark.parametrize("kept", [1, 100, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 40])
def test_a_torn_last_block_is_dropped_and_told(tmp_path: Path, kept: int) -> None:
    """The bytes of a further block, cut off anywhere, as a kill while writing leaves them."""
    made(tmp_path / "longer", puts=4)
    state_hash = made(tmp_path / "ledger")
    path = last_segment(tmp_path / "ledger")
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(last_segment(tmp_path / "longer").read_bytes()[-300:][:kept])

    found, notices = reopened(tmp_path / "ledger")

    assert found == state_hash
    assert len(notices) == 1
    assert "not written whole" in notices[0]
    assert f"byte {size}" in notices[0]
    assert verify(tmp_path / "ledger").fault is None


def test_a_tail_of_zeros_is_dropped(tmp_path: Path) -> None:
    """What a loss of power may leave: the length of the file without its bytes."""
    state_hash = made(tmp_path)
    with last_segment(tmp_path).open("ab") as file:
        file.write(bytes(5_000))

    assert verify(tmp_path).notes != []
    assert reopened(tmp_path)[0] == state_hash


def test_a_torn_private_record_beyond_the_blocks_is_dropped(tmp_path: Path) -> None:
    state_hash = made(tmp_path)
    raw = (tmp_path / "private.log").read_bytes()
    (tmp_path / "private.log").write_bytes(raw + raw[:30])

    found, notices = reopened(tmp_path)

    assert found == state_hash
    assert "private values that belong to no block" in notices[0]


def test_a_private_log_that_lost_its_end_is_damage(tmp_path: Path) -> None:
    made(tmp_path)
    os.truncate(tmp_path / "private.log", 40)

    with pytest.raises(DamagedLog, match="the state held private values of block 4"):
        reopened(tmp_path)


def test_a_torn_block_that_the_state_holds_is_damage(tmp_path: Path) -> None:
    made(tmp_path)
    path = last_segment(tmp_path)
    os.truncate(path, path.stat().st_size - 1)

    with pytest.raises(DamagedLog, match="the state already held block 4"):
        reopened(tmp_path)


def test_damage_before_a_signed_block_is_not_taken_for_a_torn_end(tmp_path: Path) -> None:
    """Even where no state tells how far the log went."""
    made(tmp_path)
    (tmp_path / "state.sqlite").unlink()
    path = last_segment(tmp_path)
    raw = bytearray(path.read_bytes())
    second = raw.index(b"CWB1", SEGMENT_HEADER_BYTES + 1)
    raw[second + 4] ^= 0xFF  # the length of block 1: now it seems to reach beyond the end
    path.write_bytes(raw)

    with pytest.raises(DamagedLog, match="a signed block follows"):
        reopened(tmp_path)


@pytest.mark.parametrize("cut", [None, SEALING], ids=["one segment", "sealed segments"])
def test_a_lost_state_comes_back(tmp_path: Path, cut: Cut | None) -> None:
    state_hash = made(tmp_path, puts=9, cut=cut)
    (tmp_path / "state.sqlite").unlink()

    found, notices = reopened(tmp_path, cut=cut)

    assert found == state_hash
    assert "built again" in notices[0]
    assert verify(tmp_path).fault is None


def test_an_unreadable_state_is_built_again(tmp_path: Path) -> None:
    state_hash = made(tmp_path)
    (tmp_path / "state.sqlite").write_bytes(b"no database" * 1_000)

    found, notices = reopened(tmp_path)

    assert found == state_hash
    assert "unreadable" in notices[0]


def test_a_state_that_lies_behind_takes_the_tail(tmp_path: Path) -> None:
    """As after a loss of power: the log is synced, the state is not."""
    made(tmp_path, puts=2, cut=SEALING)
    for name in ("state.sqlite",):
        shutil.copyfile(tmp_path / name, tmp_path.parent / "old.sqlite")

    async def go_on() -> str:
        async with open_ledger(tmp_path, cut=SEALING) as ledger:
            for number in range(6):
                await put_all(ledger, ("put", Put("k0", number)))
            await put_all(ledger, ("purge", Place("p", "b")))
            return await ledger.state_hash()

    state_hash = run(go_on())
    shutil.copyfile(tmp_path.parent / "old.sqlite", tmp_path / "state.sqlite")

    found, _ = reopened(tmp_path, cut=SEALING)

    assert found == state_hash
    assert verify(tmp_path).fault is None


def snapshots_in(path: Path) -> list[str]:
    """The files of the snapshots that are kept, in order."""
    return sorted(file.name for file in (path / "snapshots").iterdir())


def test_snapshots_are_taken_when_segments_are_sealed_and_two_are_kept(tmp_path: Path) -> None:
    # A close breaks off the snapshot that is being taken, so how many it takes is left open; that
    # there come to be two and never more is not.
    made(tmp_path, puts=3, cut=SEALING)
    rounds = 0
    while len(snapshots_in(tmp_path)) < 4 and rounds < 200:
        reopened(tmp_path, cut=SEALING)
        rounds += 1
    first = snapshots_in(tmp_path)
    while snapshots_in(tmp_path) == first and rounds < 400:
        reopened(tmp_path, cut=SEALING)
        rounds += 1

    later = snapshots_in(tmp_path)

    assert later != first
    for kept in (first, later):
        assert [name.partition(".")[2] for name in kept] == ["json", "sqlite"] * 2


def with_snapshot(path: Path) -> str:
    """A ledger of which there is a snapshot, and its state hash."""
    made(path, puts=6, cut=SEALING)
    while not list((path / "snapshots").glob("*.json")):  # a close may break one off
        reopened(path, cut=SEALING)
    return reopened(path, cut=SEALING)[0]


def test_a_lost_state_comes_back_from_a_snapshot_with_its_private_values(tmp_path: Path) -> None:
    state_hash = with_snapshot(tmp_path)
    (tmp_path / "state.sqlite").unlink()

    found, notices = reopened(tmp_path, cut=SEALING)

    assert found == state_hash
    assert "from the snapshot of block" in notices[0]
    assert verify(tmp_path).fault is None


def test_a_damaged_snapshot_is_passed_over(tmp_path: Path) -> None:
    state_hash = with_snapshot(tmp_path)
    (tmp_path / "state.sqlite").unlink()
    for path in (tmp_path / "snapshots").glob("*.sqlite"):
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 1
        path.write_bytes(raw)

    found, notices = reopened(tmp_path, cut=SEALING)

    assert found == state_hash
    assert "damaged and was skipped" in notices[0]
    assert "from the first block" in notices[-1]


def test_a_log_that_ends_before_a_snapshot_is_damage_though_the_state_is_gone(
    tmp_path: Path,
) -> None:
    with_snapshot(tmp_path)
    (tmp_path / "state.sqlite").unlink()
    for path in sorted((tmp_path / "blocks").iterdir())[1:]:
        path.unlink()

    with pytest.raises(DamagedLog, match="the log ends after block"):
        reopened(tmp_path, cut=SEALING)


def test_a_folder_that_lost_its_log_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    made(tmp_path)
    shutil.rmtree(tmp_path / "blocks")

    with pytest.raises(DamagedLog, match="missing"):
        reopened(tmp_path)


def test_a_rebuild_gives_the_same_state(tmp_path: Path) -> None:
    state_hash = made(tmp_path, puts=6, cut=SEALING)

    rebuilt = rebuild(tmp_path, counts=Notebook().counts_in_state_hash)

    assert rebuilt.state_hash == state_hash
    assert (rebuilt.blocks, rebuilt.rows) == (8, 6)
    assert reopened(tmp_path) == (state_hash, [])


def test_half_made_files_of_a_crash_are_removed(tmp_path: Path) -> None:
    state_hash = made(tmp_path)
    left = [tmp_path / "private.log.new", tmp_path / "blocks" / "00000001.seg.new"]
    for path in left:
        path.write_bytes(b"half")

    assert reopened(tmp_path) == (state_hash, [])
    assert not any(path.exists() for path in left)


def test_a_second_opener_is_told_who_has_the_ledger(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path;"
        "from tests.ledger_network.embedded.workbench import open_ledger; open_ledger(Path(sys.argv[1]))"
    )

    async def meet() -> None:
        async with open_ledger(tmp_path):
            with pytest.raises(LedgerBusy, match=f"is already open in process {os.getpid()};"):
                open_ledger(tmp_path)
            with pytest.raises(LedgerBusy):
                verify(tmp_path)
            other = await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-c", program, str(tmp_path)],
                capture_output=True,
                check=False,
                cwd=Path(__file__).parents[4],
            )
            assert f"in process {os.getpid()}".encode() in other.stderr

    run(meet())
    assert run(open_and_close(tmp_path)) == "ready"


async def open_and_close(path: Path) -> str:
    async with open_ledger(path) as ledger:
        return (await ledger.health()).sentence


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"channel": "another"}, "channel 'testing', not 'another'"),
        ({"members": ["north"]}, "members 'north, south', not 'north'"),
    ],
)
def test_another_ledger_than_the_one_asked_for_is_named(
    tmp_path: Path, asked: dict[str, object], named: str
) -> None:
    made(tmp_path)
    right: dict[str, object] = {"channel": "testing", "members": ["north", "south"]}

    with pytest.raises(OtherLedger, match=named):
        EmbeddedLedger.open(tmp_path, contract=Notebook(), **{**right, **asked})  # type: ignore[arg-type] # one of the two is changed


def test_a_folder_with_rows_of_another_layout_is_named_with_what_to_do(tmp_path: Path) -> None:
    made(tmp_path)
    later = Notebook()
    later.layout = 2

    with pytest.raises(OtherLedger, match=r"layout 1, .* reads 2\): move it away and start"):
        EmbeddedLedger.open(tmp_path, contract=later, channel="testing", members=["north", "south"])


@pytest.mark.parametrize("after_the_format", [["testing", "notebook"], []])
def test_a_log_of_another_format_is_named_with_what_to_do(
    tmp_path: Path, after_the_format: list[str]
) -> None:
    """Whatever else another version writes into block 0, its format is read and compared first."""
    folder = DataFolder(tmp_path)
    folder.make()
    key, _ = make_keys(folder, ["north", "south"], seed=SEED, disk=Disk())
    body = msgspec.msgpack.encode([0, *after_the_format])
    begin_log(folder.blocks, body, key=key, disk=Disk())

    def export_all(path: Path) -> None:
        list(export(path))

    acts: list[Callable[[Path], object]] = [open_ledger, rebuild, export_all]
    for act in acts:
        with pytest.raises(OtherLedger, match=r"format 0, .* reads 1\): move it away and start"):
            act(tmp_path)
    fault = verify(tmp_path).fault
    assert fault is not None
    assert "was written by another version" in fault.sentence


@pytest.mark.parametrize("name", ["", "../x", "a b", ".hidden", "x" * 65, "é"])
def test_names_of_members_are_fit_for_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a name for a member"):
        open_ledger(tmp_path, members=(name,))
    with pytest.raises(ValueError, match="different names"):
        open_ledger(tmp_path, members=("north", "north"))


def test_keys_are_for_the_owner_only_and_follow_from_the_seed(tmp_path: Path) -> None:
    made(tmp_path / "one")
    made(tmp_path / "two")
    names = [
        "ledger.key",
        *[f"members/{n}.{r}.key" for n in ("north", "south") for r in ("admin", "client")],
    ]

    keys = [(tmp_path / "one" / name).read_bytes() for name in names]

    assert keys == [(tmp_path / "two" / name).read_bytes() for name in names]
    assert len(set(keys)) == len(keys)
    for name in names:
        assert stat.S_IMODE((tmp_path / "one" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "one" / "private.log").stat().st_mode) == 0o600


def test_a_closed_ledger_opens_with_everything(tmp_path: Path) -> None:
    made(tmp_path)

    async def look() -> None:
        async with open_ledger(tmp_path) as ledger:
            assert [await value_of(ledger, f"k{number}") for number in range(4)] == [0, 1, 2, None]
            assert await ledger.evaluate("get", Key("k1"), member=NORTH) == b"1"

    run(look())
