"""What earlier trades had used of a trade's meters, so that a correction finds it without them.

Trades are delivered in match sequence, each from what the trades before it have left. A settlement
stores beside each page of trades what its trades found used. A correction then settles a trade
again without going through the trades before it: where a meter is not due, these numbers hold.

While a page is not finished, its row here also holds what its first trades settle. So a page of
trades is written once, however many transactions it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec

from chaincode.clearing.run import MatchedTrade
from chaincode.context import Context
from chaincode.slots.runs import PAGE_ROWS
from chaincode.state import Row, Table

Numbers = Annotated[list[int], msgspec.Meta(max_length=PAGE_ROWS)]


class Use(NamedTuple):
    """The Wh that trades have used of a meter: of its export, its import and its certificates."""

    export_wh: int = 0
    import_wh: int = 0
    certificates_wh: int = 0


class TradeUses(Row, frozen=True):
    """What earlier trades had used of the meters of each trade of a page, in the page's order.

    The first three lists are about the meter of the seller, the next three about that of the buyer.
    `settled_wh`, `retired_wh` and `undelivered_wh` hold what trades settle until the page is finished.
    """

    seller_export_wh: Numbers
    seller_import_wh: Numbers
    seller_certificates_wh: Numbers
    buyer_export_wh: Numbers
    buyer_import_wh: Numbers
    buyer_certificates_wh: Numbers
    settled_wh: Numbers
    retired_wh: Numbers
    undelivered_wh: Numbers


USES = Table(63, "trade uses", TradeUses, ("area", "slot", "page"))


class PageUses:
    """The uses of the trades of one page, as a transaction works on them."""

    def __init__(self, context: Context, *names: str) -> None:
        self._context = context
        self._names = names
        row = USES.get(context, *names)
        self.sellers: list[Use] = []
        self.buyers: list[Use] = []
        self.settled_wh: list[int] = []
        self.retired_wh: list[int] = []
        self.undelivered_wh: list[int] = []
        if row is not None:
            sellers = row.seller_export_wh, row.seller_import_wh, row.seller_certificates_wh
            buyers = row.buyer_export_wh, row.buyer_import_wh, row.buyer_certificates_wh
            self.sellers = list(map(Use, *sellers))
            self.buyers = list(map(Use, *buyers))
            self.settled_wh, self.retired_wh = list(row.settled_wh), list(row.retired_wh)
            self.undelivered_wh = list(row.undelivered_wh)

    def follow(self, settled: Sequence[MatchedTrade], used: dict[str, Use]) -> None:
        """Add the page's next trades; `used` is what trades had used of their meters before."""
        for trade in settled:
            energy_wh, certificates_wh = trade.settled_wh or 0, trade.retired_wh
            seller = used[trade.sell_meter]
            self.sellers.append(seller)
            self.buyers.append(used[trade.buy_meter])
            used[trade.sell_meter] = Use(
                seller.export_wh + energy_wh,
                seller.import_wh,
                seller.certificates_wh + certificates_wh,
            )
            buyer = used[trade.buy_meter]
            used[trade.buy_meter] = buyer._replace(import_wh=buyer.import_wh + energy_wh)
            self.settled_wh.append(energy_wh)
            self.retired_wh.append(certificates_wh)
            self.undelivered_wh.append(trade.undelivered_wh)

    def write(self) -> None:
        """Write the row."""
        sellers = [list(column) for column in zip(*self.sellers, strict=True)]
        buyers = [list(column) for column in zip(*self.buyers, strict=True)]
        row = TradeUses(
            seller_export_wh=sellers[0],
            seller_import_wh=sellers[1],
            seller_certificates_wh=sellers[2],
            buyer_export_wh=buyers[0],
            buyer_import_wh=buyers[1],
            buyer_certificates_wh=buyers[2],
            settled_wh=self.settled_wh,
            retired_wh=self.retired_wh,
            undelivered_wh=self.undelivered_wh,
        )
        USES.put(self._context, row, *self._names)
