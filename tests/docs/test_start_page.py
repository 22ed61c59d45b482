"""The examples of `docs/start.md` run and do what the page says."""

from __future__ import annotations

import json
import re

from chaincode.contract import NAME
from chaincode.orders.sheets import Sheet
from commonwatt.commands.auction import run_auction
from commonwatt.commands.wallet_payloads import read_payload
from commonwatt.demonstration.cast import AREA, CHANNEL, GATE_LEAD_S, make_cast
from tests.house.tree import ROOT

TEXT = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")


def box(name: str) -> bytes:
    """The text of a fenced box."""
    found = re.search(rf"^```{name}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1].encode()


def test_the_book_of_the_page_trades_as_the_page_says() -> None:
    result = json.loads(run_auction(box("book")))

    assert (result["volume"], result["prices"]) == (500, {"street": 150_000})
    assert "They trade 500 Wh at 150,000 micro-currency per kWh" in TEXT


def test_the_sheet_of_the_page_is_one_of_the_demonstration() -> None:
    sheet = read_payload("sheet", box("sheet"), gate_lead_s=GATE_LEAD_S)
    assert isinstance(sheet, Sheet)
    assert sheet.valid_until_s == sheet.orders[0].slot - GATE_LEAD_S
    homes = {home.meter: home.zone for home in make_cast(seed=0, households=2).homes}

    assert (sheet.area, sheet.channel, sheet.contract) == (AREA, CHANNEL, NAME)
    assert homes[sheet.meter] == sheet.zone
