"""What stands beside each page of trades is what earlier trades had used, by a walk through all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaincode.clearing.run import MatchedTrade
from chaincode.settlement.meter_balances import DUE, USED
from chaincode.settlement.trade_uses import USES, TradeUses
from chaincode.state import Side, slot_part
from tests.chaincode.crowd import (
    Household,
    cut_after,
    ending,
    meter_number,
    order,
    put_reading,
    settle_in,
    small_pages,
)
from tests.chaincode.town import AREA, SLOT, SLOT_S, Town

DEADLINE_S = 3_600


def walked(trades: Sequence[MatchedTrade]) -> list[tuple[int, ...]]:
    """For each trade what those before it had used: of the seller's meter, then of the buyer's."""
    taken: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    found: list[tuple[int, ...]] = []
    for trade in trades:
        found.append((*taken[trade.sell_meter], *taken[trade.buy_meter]))
        taken[trade.sell_meter][0] += trade.settled_wh or 0
        taken[trade.buy_meter][1] += trade.settled_wh or 0
        taken[trade.sell_meter][2] += trade.retired_wh
    return found


def stored(town: Town) -> list[tuple[int, ...]]:
    """The same numbers from the rows, page by page."""
    found: list[tuple[int, ...]] = []
    for row in rows(town):
        columns = (
            row.seller_export_wh,
            row.seller_import_wh,
            row.seller_certificates_wh,
            row.buyer_export_wh,
            row.buyer_import_wh,
            row.buyer_certificates_wh,
        )
        found += zip(*columns, strict=True)
    return found


def rows(town: Town) -> list[TradeUses]:
    """The rows of the slot."""
    prefix = USES.key(AREA, slot_part(SLOT)) + "/"
    return [USES.decode(value) for _, value in town.view.range(prefix, prefix[:-1] + "0")]


def home(number: int, sides: Sequence[Side], *, import_wh: int, export_wh: int) -> Household:
    """A household with an order of 30 Wh on each of `sides`, and a plant."""
    return Household(
        orders=[
            order(
                number, side, [(300_000 if side == "buy" else 50_000, 30)], name=f"{side}-{place}"
            )
            for place, side in enumerate(sides)
        ],
        balance_nano=10**9,
        import_wh=import_wh,
        export_wh=export_wh,
        source="solar",
    )


SIDES: list[tuple[Side, ...]] = [("buy",), ("sell",), ("buy", "buy"), ("sell", "sell")]
BOTH: list[tuple[Side, ...]] = [("buy", "sell"), ("sell", "buy", "sell")]


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    sides=st.lists(st.sampled_from(SIDES + BOTH), min_size=2, max_size=7),
    wh=st.lists(st.sampled_from([0, 20, 45, 200]), min_size=14, max_size=14),
    late=st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from([0, 10, 60]), st.sampled_from([0, 25, 70])),
        max_size=3,
    ),
    chunk=st.integers(1, 4),
    page=st.integers(1, 5),
)
def test_rows_hold_what_a_walk_through_all_trades_finds(
    sides: list[tuple[Side, ...]],
    wh: list[int],
    late: list[tuple[int, int, int]],
    chunk: int,
    page: int,
) -> None:
    """Households that buy, sell or do both, cut anywhere, after settling and after corrections."""
    homes = [
        home(number, one, import_wh=wh[number], export_wh=wh[-number - 1])
        for number, one in enumerate(sides)
    ]
    with pytest.MonkeyPatch.context() as patch:
        small_pages(patch, page)
        cut_after(patch, chunk)
        town = Town(0, slots=3)
        settle_in(town, homes)
        town.close_gate(SLOT)
        town.clear(SLOT)
        town.at(SLOT + SLOT_S + DEADLINE_S)
        town.settle(SLOT)
        assert stored(town) == walked(list(ending(town).trades))
        for number, import_wh, export_wh in late:
            if number < len(homes):
                put_reading(town, meter_number(number), import_wh, export_wh)
                town.correct(SLOT)
                assert stored(town) == walked(list(ending(town).trades))

    assert not any(row.settled_wh or row.retired_wh for row in rows(town))
    scratch = (USED.key(""), DUE.key(""))
    assert not [key for key in town.view.rows if key.startswith(scratch)]
