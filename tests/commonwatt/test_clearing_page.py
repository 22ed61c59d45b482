"""The worked books of the concept page come out as printed there."""

from __future__ import annotations

import json
import re
from pathlib import Path

from commonwatt.commands.auction import run_auction

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "clearing.md"
WORKED = re.compile(r"```json\n(?P<book>.*?)```\n```answer\n(?P<answer>.*?)```", re.DOTALL)


def test_every_worked_book_of_the_page_clears_as_printed_below_it() -> None:
    found = list(WORKED.finditer(PAGE.read_text(encoding="utf-8")))

    for worked in found:
        answer = json.loads(run_auction(worked["book"].encode()))
        printed = json.loads(worked["answer"])
        assert {member: answer[member] for member in printed} == printed
    assert len(found) == 4
