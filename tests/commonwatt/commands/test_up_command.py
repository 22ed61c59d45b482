"""`commonwatt up` as its users run it: started, stopped, killed, started again."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import msgspec
import pytest

from ledger_network.embedded.recovery.verify import verify
from tests.commonwatt.wiring.running_market import SLOT_LINE, market, slots_of, stop


def following(slot: str) -> str:
    """The local start of the slot after `slot`."""
    minutes = (int(slot[:2]) * 60 + int(slot[3:]) + 15) % (24 * 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_market_stops_cleanly_and_goes_on_with_the_next_slot(
    tmp_path: Path, name: signal.Signals
) -> None:
    with market(tmp_path, "--households", "6") as process:
        first = slots_of(process, 5)
        code, rest = stop(process, name)
    seen = [*first, *(m[1] for m in map(SLOT_LINE.match, rest.splitlines()) if m)]
    assert code == 0
    assert "The same command goes on from here." in rest
    assert verify(tmp_path / "ledger").fault is None

    with market(tmp_path) as process:
        again = slots_of(process, 3)
        code, _ = stop(process, name)

    assert code == 0
    together = [*seen, *again]
    assert together == [together[0], *map(following, together[:-1])]


def test_market_killed_at_any_point_loses_nothing_and_goes_on(tmp_path: Path) -> None:
    seen: list[str] = []
    for round_slots in (2, 5, 3):
        with market(tmp_path, "--households", "6") as process:
            seen.extend(slots_of(process, round_slots))
            process.kill()
            process.communicate()
    with market(tmp_path) as process:
        seen.extend(slots_of(process, 1))
        stop(process, signal.SIGTERM)

    # A slot that settled without having been printed is not printed again: gaps, no repeats.
    assert len(set(seen)) == len(seen)
    assert seen == sorted(seen)
    assert verify(tmp_path / "ledger").fault is None


def test_other_number_of_households_is_refused_with_a_sentence(tmp_path: Path) -> None:
    plan = {"v": 1, "seed": 1, "households": 6, "first_slot": 1797724800, "founded": False}
    (tmp_path / "market.json").write_bytes(msgspec.json.encode(plan))

    with market(tmp_path, "--households", "7") as process:
        printed, _ = process.communicate()

    assert process.returncode == 2
    assert "has 6 households, not 7" in printed


def test_damaged_log_keeps_the_market_from_starting_and_is_named(tmp_path: Path) -> None:
    with market(tmp_path, "--households", "6") as process:
        slots_of(process, 1)
        stop(process, signal.SIGTERM)
    segment = tmp_path / "ledger" / "blocks" / "00000000.seg"
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)

    with market(tmp_path) as process:
        printed, _ = process.communicate()

    assert process.returncode == 2
    assert str(segment) in printed
    assert "block" in printed


def test_full_disk_stops_the_market_with_a_sentence_and_loses_nothing(tmp_path: Path) -> None:
    with market(tmp_path, "--households", "6", file_bytes_max=900_000) as process:
        printed, _ = process.communicate()
    settled = [match[1] for match in map(SLOT_LINE.match, printed.splitlines()) if match]

    assert process.returncode == 1
    assert "The market has stopped, " in printed
    assert "Traceback" not in printed
    assert verify(tmp_path / "ledger").fault is None

    with market(tmp_path) as process:
        again = slots_of(process, 1)
        stop(process, signal.SIGTERM)
    assert again[0] > max(settled, default="")


def test_second_market_on_the_same_folder_is_told_why_not(tmp_path: Path) -> None:
    with market(tmp_path, "--households", "6") as first:
        slots_of(first, 1)
        with market(tmp_path) as second:
            printed, _ = second.communicate()
        stop(first, signal.SIGTERM)

    assert second.returncode == 2
    assert "Traceback" not in printed
    assert str(tmp_path) in printed


def test_taken_port_is_told_before_anything_is_founded(tmp_path: Path) -> None:
    data = tmp_path / "market"
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        market(data, "--port", str(taken.getsockname()[1])) as process,
    ):
        printed, _ = process.communicate()

    assert process.returncode == 2
    assert "cannot be taken (Address already in use): stop" in printed
    assert "Traceback" not in printed
    assert not data.exists()
