"""Door 11: a text of two megabytes in one row, copied into others until no slot can settle."""

from __future__ import annotations

import pytest

from chaincode.errors import Refused
from chaincode.metering.certification import MeterArguments
from tests.contract.stage.cast import EAST, SLOT, did_of
from tests.contract.stage.market import Market


def certify(market: Market, source: str) -> None:
    """Certify a meter with a source."""
    arguments = MeterArguments(
        meter="m",
        holder=did_of("S"),
        zone=EAST,
        grid_level=7,
        import_w=1_000,
        export_w=1_000,
        from_slot=SLOT,
        source=source,
        hold=market.tokens.hold("S", "m"),
    )
    market.submit("register_certified_meter", arguments)


@pytest.mark.parametrize("length", [65, 1_900_000])
def test_source_of_a_meter_that_is_too_long_is_refused(market: Market, length: int) -> None:
    market.trader("S")
    before = market.state_hash()

    with pytest.raises(Refused, match="ARGUMENTS_INVALID"):
        certify(market, "x" * length)

    assert market.state_hash() == before
    certify(market, "x" * 64)
