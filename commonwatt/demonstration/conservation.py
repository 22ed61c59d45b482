"""The sums over all accounts of the demonstration's area, added up page by page."""

from __future__ import annotations

import msgspec

from chaincode.accounts.statements import SumArguments, Totals
from commonwatt.demonstration.cast import AREA, DSO
from ledger_network.port import Ledger, Member


async def area_totals(ledger: Ledger) -> Totals:
    """Return the sums of all entries and accounts; money sums to 0 while nothing is written."""
    totals = await _page(ledger, SumArguments(AREA))
    while totals.after is not None:
        following = SumArguments(AREA, totals.after, totals.digest)
        totals = totals.plus(await _page(ledger, following))
    return totals


async def _page(ledger: Ledger, arguments: SumArguments) -> Totals:
    answer = await ledger.evaluate("sum_accounts", arguments, member=Member(DSO))
    return msgspec.json.decode(answer, type=Totals)
