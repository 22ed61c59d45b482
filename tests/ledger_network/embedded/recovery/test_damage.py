"""Changed bytes are found: each bit of the logs of a small ledger, and files that are not its own."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from identity.keys import PrivateKey
from ledger_network.embedded.commit.committer import Cut
from ledger_network.embedded.folder.data_folder import DataFolder
from ledger_network.embedded.folder.faults import DamagedLog, OtherLedger
from ledger_network.embedded.log.block import encode_body
from ledger_network.embedded.log.block_log import (
    FRAME_BYTES,
    SEGMENT_HEADER_BYTES,
    StoredBlock,
    encode_block,
)
from ledger_network.embedded.log.chain import blocks_above, check_chain
from ledger_network.embedded.recovery.rebuild import rebuild
from ledger_network.embedded.recovery.replay import PrivateValues, changes_of, entries_of
from ledger_network.embedded.recovery.verify import verify
from tests.ledger_network.embedded.notebook import Place, Places, Put
from tests.ledger_network.embedded.workbench import NORTH, open_ledger, put_all, run

SECRETS = {"a": b"one secret", "b": b"another", "c": b"to be purged"}
SMALL = Cut(segment_blocks=2)


@pytest.fixture(name="folder", scope="module")
def small_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Blocks 0 to 5 in three segments, with private values of which one is purged."""
    path = tmp_path_factory.mktemp("small") / "ledger"

    async def make() -> None:
        async with open_ledger(path, cut=SMALL, members=("north",)) as ledger:
            await put_all(ledger, ("put", Put("x", 1)), ("put", Put("y", 2)))
            for keys in (["a", "c"], ["b"]):
                places = Places("p", keys)
                await ledger.submit("private_put", places, member=NORTH, transient=SECRETS)
            await put_all(ledger, ("purge", Place("p", "c")))

    run(make())
    assert len(list((path / "blocks").iterdir())) == 3
    return path


def flipped(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """`raw` with each bit changed in turn, and the byte where."""
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << (bit % 8)
        yield bit // 8, bytes(changed)


@pytest.mark.parametrize("segment", [0, 1])
def test_each_changed_bit_of_the_block_log_is_found_at_the_start(
    tmp_path: Path, segment: int
) -> None:
    async def make() -> None:
        async with open_ledger(tmp_path, cut=SMALL, members=("north",)) as ledger:
            await put_all(ledger, ("put", Put("x", 1)), ("put", Put("y", 2)))

    run(make())
    held = DataFolder(tmp_path)
    path = held.blocks / f"{segment:08d}.seg"
    check_chain(held, held=2, durable=2)

    missed: list[int] = []
    for byte, raw in flipped(path.read_bytes()):
        path.write_bytes(raw)
        try:
            check_chain(held, held=2, durable=2)
        except DamagedLog as fault:
            if fault.file != path:
                missed.append(byte)
        else:
            missed.append(byte)

    assert missed == []


def test_each_changed_bit_of_the_private_log_is_found(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    held = DataFolder(tmp_path / "copy")
    sound = held.private_log.read_bytes()
    blocks = list(blocks_above(held, check_chain(held, held=-1, durable=5), 0))

    missed: list[int] = []
    for byte, raw in flipped(sound):
        held.private_log.write_bytes(raw)
        values = PrivateValues(held.private_log)
        try:
            for block in blocks:
                changes_of(block, entries_of(block, held.blocks), values)
            values.require_all()
        except DamagedLog:
            continue
        missed.append(byte)

    assert missed == []


def opened(path: Path) -> list[str]:
    """Open the ledger in `path` and close it; its notices."""

    async def look() -> list[str]:
        async with open_ledger(path, cut=SMALL, members=("north",)) as ledger:
            return ledger.notices

    return run(look())


@pytest.fixture(name="copy")
def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def change_byte(path: Path, at: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[at] ^= 0x10
    path.write_bytes(raw)


def test_damage_names_file_block_and_byte(copy: Path) -> None:
    path = copy / "blocks" / "00000001.seg"
    change_byte(path, SEGMENT_HEADER_BYTES + FRAME_BYTES + 20)

    with pytest.raises(DamagedLog) as found:
        opened(copy)

    assert found.value.file == path
    assert found.value.block == 2
    assert found.value.offset == SEGMENT_HEADER_BYTES
    assert "body" in found.value.sentence
    report = verify(copy)
    assert report.fault is not None
    assert (report.fault.file, report.fault.block) == (str(path), 2)


@pytest.mark.parametrize("byte", [2, 30, 60, -1])
def test_a_private_log_with_a_changed_byte_does_not_start(copy: Path, byte: int) -> None:
    change_byte(copy / "private.log", byte)

    with pytest.raises(DamagedLog, match=r"private\.log"):
        opened(copy)
    assert verify(copy).fault is not None


@pytest.mark.parametrize("name", ["00000000.seg", "00000001.seg", "00000002.seg"])
def test_a_missing_segment_is_found(copy: Path, name: str) -> None:
    (copy / "blocks" / name).unlink()

    with pytest.raises(DamagedLog, match=r"missing|the state held block"):
        opened(copy)
    if name == "00000000.seg":
        with pytest.raises(OtherLedger, match="holds no ledger"):
            verify(copy)
    else:
        assert verify(copy).fault is not None


def test_a_log_that_lost_its_last_block_is_found_by_the_state(copy: Path) -> None:
    path = copy / "blocks" / "00000002.seg"
    last = max(block.place.offset for block in _blocks(copy) if block.place.segment == 2)
    os.truncate(path, last)

    with pytest.raises(DamagedLog, match="ends after block 4, the state held block 5"):
        opened(copy)


def test_a_segment_of_another_ledger_is_found(copy: Path, tmp_path: Path) -> None:
    """Same members and contract, keys of its own: its blocks are signed, by somebody else."""

    async def make() -> None:
        async with open_ledger(tmp_path / "other", cut=SMALL, members=("north",)) as ledger:
            await put_all(ledger, *[("put", Put("x", number)) for number in range(5)])

    run(make())
    for name in ("00000001.seg", "00000002.seg"):
        shutil.copy(tmp_path / "other" / "blocks" / name, copy / "blocks" / name)

    with pytest.raises(DamagedLog):
        opened(copy)


def test_a_log_written_anew_under_another_key_is_found(copy: Path, tmp_path: Path) -> None:
    shutil.copyfile(copy / "ledger.key", tmp_path / "right.key")

    async def make() -> None:
        key = (tmp_path / "forger" / "ledger.key", PrivateKey.generate().to_pkcs8())
        key[0].parent.mkdir()
        key[0].write_bytes(key[1])
        async with open_ledger(tmp_path / "forger", members=("north",)) as ledger:
            await put_all(ledger, ("put", Put("x", 1_000_000)))

    run(make())
    shutil.copyfile(tmp_path / "right.key", tmp_path / "forger" / "ledger.key")

    with pytest.raises(OtherLedger, match=r"ledger\.key is not the key"):
        opened(tmp_path / "forger")
    assert verify(tmp_path / "forger").fault is not None


@pytest.mark.parametrize("name", ["ledger.key", "members/north.client.key"])
def test_a_tampered_or_missing_key_file_is_named(copy: Path, name: str) -> None:
    (copy / name).write_bytes(PrivateKey.generate().to_pkcs8())
    with pytest.raises(OtherLedger, match=f"{name} is not the key"):
        opened(copy)
    (copy / name).write_bytes(b"-----BEGIN PRIVATE KEY-----\nno\n-----END PRIVATE KEY-----\n")
    with pytest.raises(OtherLedger, match=f"{name} is not readable"):
        opened(copy)
    (copy / name).unlink()
    with pytest.raises(OtherLedger, match=f"{name} is missing"):
        opened(copy)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE state SET value = '9' WHERE key = 'x'", "state holds"),
        ("DELETE FROM state WHERE key = 'x'", "state holds"),
        ("INSERT INTO state VALUES ('z', '1', 65536)", "state holds"),
        ("UPDATE state SET version = version + 1 WHERE key = 'x'", "state holds"),
        ("UPDATE private SET value = 'other' WHERE key = 'a'", "private holds"),
        ("UPDATE transactions SET outcome = 'MVCC_READ_CONFLICT'", "transactions holds"),
        ("DELETE FROM blocks WHERE number = 3", "blocks holds"),
    ],
)
def test_a_changed_state_is_found_and_a_rebuild_mends_it(
    copy: Path, statement: str, named: str
) -> None:
    with closing(sqlite3.connect(copy / "state.sqlite")) as state:
        state.execute(statement)
        state.commit()

    report = verify(copy)
    assert report.fault is not None
    assert named in report.fault.sentence

    rebuild(copy)
    assert verify(copy).fault is None


def test_a_sound_ledger_is_reported_with_its_figures(copy: Path) -> None:
    report = verify(copy)

    assert report.fault is None
    assert report.notes == []
    assert (report.blocks, report.transactions, report.segments) == (6, 5, 3)
    assert (report.private_values, report.purged) == (2, 1)


def test_an_envelope_signed_by_nobody_is_found_though_the_ledger_signed_its_block(
    copy: Path,
) -> None:
    """The holder of the ledger's key can write blocks, but not the members' signatures in them."""
    held = DataFolder(copy)
    blocks = list(_blocks(copy))
    entry = entries_of(blocks[5], held.blocks)[0]
    forged = msgspec.structs.replace(entry, signature=bytes(64))
    key = PrivateKey.from_pkcs8(held.ledger_key.read_bytes())
    frame, _ = encode_block(5, blocks[5].previous, encode_body([forged]), key)
    path = held.blocks / "00000002.seg"
    path.write_bytes(path.read_bytes()[: blocks[5].place.offset] + frame)

    report = verify(copy)

    assert report.fault is not None
    assert report.fault.block == 5
    assert "is not signed by its creator" in report.fault.sentence


def _blocks(path: Path) -> list[StoredBlock]:
    held = DataFolder(path)
    return list(blocks_above(held, check_chain(held, held=-1, durable=-1), -1))
