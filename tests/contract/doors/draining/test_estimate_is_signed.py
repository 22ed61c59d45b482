"""Door 14: a node signs an estimate, and the measured reading that comes later is refused."""

from __future__ import annotations

import pytest

from chaincode.errors import Refused
from chaincode.metering.oracles import configuration_digest
from chaincode.metering.reports import (
    REPORT_TYP,
    TRANSIENT_LEAVES,
    Recorded,
    Report,
    ReportArguments,
    merkle_root,
)
from identity.canonical import encode
from identity.jws import sign_compact
from tests.contract.stage.cast import AREA, ORACLE, SLOT, SLOT_S
from tests.contract.stage.market import Market

END = SLOT + SLOT_S


@pytest.mark.parametrize("quality", ["estimated", "substituted", "edited", "measured"])
def test_rule_6_2_no_leaf_says_that_it_is_an_estimate(market: Market, quality: str) -> None:
    market.traders("S")
    market.pass_until(END)
    leaf = {
        "boundary": END,
        "export_wh": 500,
        "import_wh": 0,
        "meter": "S",
        "quality": quality,
        "resolution_wh": 1,
        "salt": "5a" * 32,
    }
    report = Report(
        area=AREA,
        boundary=END,
        channel=market.ledger.channel,
        configuration=configuration_digest(market.oracle),
        contract=market.ledger.contract,
        count=1,
        root=merkle_root([encode(leaf)]),
        v=1,
    )
    tokens = [sign_compact(key, REPORT_TYP, encode(report)) for key in market.oracle_keys[:3]]
    with pytest.raises(Refused, match="LEAVES_UNREADABLE"):
        market.submit(
            "record_readings",
            ReportArguments(tokens),
            ORACLE,
            transient={TRANSIENT_LEAVES: encode([leaf])},
        )

    measured = market.signed_report([market.leaf("S", END, export_wh=400)])
    assert market.send_report(measured).read(Recorded).recorded == 1


def test_measured_register_comes_after_an_estimate(market: Market) -> None:
    """The contract's own estimate is no reading: it stands in nobody's way."""
    market.traders("S")
    market.clear()
    market.pass_until(END + market.rules.market.report_deadline_s)
    market.settle()
    settlement = market.slot().settlement
    assert settlement is not None
    assert (settlement.estimated, settlement.minted_wh) == (1, 0)

    market.report("meter import export\nS 0 400")
    market.correct()

    settlement = market.slot().settlement
    assert settlement is not None
    assert (settlement.estimated, settlement.minted_wh) == (0, 400)
