"""The table of faults: every code has its row, and the guide shows the same table."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from meter_oracle.faults import FAULTS, FaultCode, MeterFault

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "connect-a-meter.md"


def test_every_code_has_a_row() -> None:
    assert tuple(FAULTS) == get_args(FaultCode)
    assert MeterFault("METER_SILENT", "it does not answer.").row is FAULTS["METER_SILENT"]


def test_guide_shows_the_table_as_it_is() -> None:
    rows = [
        line
        for line in GUIDE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `METER")
    ]

    assert rows == [
        f"| `{code}` | {fault.meaning} | {fault.advice} |" for code, fault in FAULTS.items()
    ]


def test_every_row_says_what_is_wrong_and_what_to_do() -> None:
    for fault in FAULTS.values():
        assert fault.meaning.endswith(".")
        assert fault.advice.endswith(".")
