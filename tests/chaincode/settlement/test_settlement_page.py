"""The worked slots of the concept page come out as printed there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.chaincode.settlement.case import read_case, settle_case

PAGE = Path(__file__).parents[3] / "docs" / "concepts" / "settlement.md"
WORKED = re.compile(r"```json\n(?P<case>.*?)```\n```totals\n(?P<totals>.*?)```", re.DOTALL)


def test_every_worked_slot_of_the_page_has_the_totals_printed_below_it() -> None:
    found = list(WORKED.finditer(PAGE.read_text(encoding="utf-8")))

    for worked in found:
        rows = (line.split() for line in worked["totals"].splitlines())
        printed = {account: int(amount) for account, amount in rows}
        assert settle_case(read_case(worked["case"])).totals == printed
    assert len(found) == 4
