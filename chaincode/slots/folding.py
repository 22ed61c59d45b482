"""Folding: the lane of an area adds entries to balances, in one order.

For the closed slots in slot order, the epochs up to the one that a slot's gate closed are folded
and then the slot is cleared; the epochs behind that gate are folded afterwards. `fold_accounts`
does what of this is due, and clearing begins with the same step. So the balances that a clearing
finds depend on what was appended before the slot's gate, and on nobody's haste.

An owner's entries of one epoch are folded as one sum. Where a transaction cannot take them all,
they are summed first and stay; then they are read again and deleted, while claims are struck.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, islice
from typing import NamedTuple

import msgspec

from chaincode.accounts.balances import (
    FOLDINGS,
    Folding,
    LaneAccounts,
    Large,
    folding_of,
    is_client,
)
from chaincode.accounts.claims import Claims
from chaincode.accounts.entries import ENTRIES, Entry, epoch_part, open_epoch
from chaincode.accounts.posting import Posting
from chaincode.accounts.statements import FOLD_PAGES, FoldPage, fold_page_part
from chaincode.area.zones import AreaName, get_lane
from chaincode.context import Context
from chaincode.errors import NOTHING_TO_FOLD
from chaincode.slots.gate import GATES
from chaincode.slots.runs import (
    ACCOUNT_BYTES,
    ENTRY_BYTES,
    POSTING_BYTES,
    Progress,
    Step,
    Taken,
    advance,
    begun,
    cost,
)
from chaincode.state import encode, slot_part

CLAIM_BYTES = 800  # of a claim and of the sum of a retailer's claims, with their keys
ENTRY_POINTS = cost(
    rows=5, keys=5, size=ENTRY_BYTES + 2 * ACCOUNT_BYTES + CLAIM_BYTES + 2 * POSTING_BYTES
)
"""An entry is deleted and may change its owner's account and its retailer's, a claim and a sum."""


class DueSlot(NamedTuple):
    """The slot that clears next, and the epoch that its gate closed."""

    slot: int
    epoch: int


class AccountsFolded(msgspec.Struct, frozen=True):
    """The event of folding that has posted lines: defaults, repayments or both.

    `list_fold_postings` has the page of `postings` lines.
    """

    area: str
    page: int
    postings: int


class FoldAnswer(msgspec.Struct, frozen=True):
    """How far folding has come: the first epoch that is not folded, and whether more is due."""

    area: str
    epoch: int
    more: bool


class _Row(NamedTuple):
    """An entry with the parts of its key; `owned` is its epoch and owner."""

    name: str
    owned: str
    owner: str
    cause: str
    retailer: str
    entry: Entry


def fold_accounts(context: Context, arguments: AreaName) -> FoldAnswer:
    """Fold entries of closed epochs, as far as the lane's order and a transaction allow."""
    get_lane(context, arguments.area)
    accounts = LaneAccounts(context, arguments.area)
    folding = EntryFolding(context, arguments.area, accounts)
    if folding.is_done:
        raise NOTHING_TO_FOLD(area=arguments.area)
    done = advance(Progress(begun("FOLD")), [Step("FOLD", folding.take)])
    accounts.write()
    row = folding.write()
    return FoldAnswer(arguments.area, row.epoch, not done)


def due_slot(context: Context, area: str, folding: Folding) -> DueSlot | None:
    """The slot that clears next: the first closed slot after the slot that was cleared last."""
    for name, gate in GATES.range(context, area, after=slot_part(folding.cleared_slot)):
        return DueSlot(int(name), gate.epoch)
    return None


class EntryFolding:
    """The folding that is due in an area, as a step of a run."""

    def __init__(self, context: Context, area: str, accounts: LaneAccounts) -> None:
        self._context = context
        self._area = area
        self._accounts = accounts
        self._claims = Claims(context, area, accounts)
        self._row = folding_of(context, area)
        self._before = self._row
        self.due = due_slot(context, area, self._row)
        last = open_epoch(context, area) - 1 if self.due is None else self.due.epoch
        self._end = last + 1
        self._ended = False

    @property
    def is_done(self) -> bool:
        """Whether no entry is due; then nothing needs to be written."""
        return self._row.large is None and not self._rows(1)

    def cleared(self, slot: int) -> None:
        """Record that a slot has cleared; the epochs behind its gate may be folded now."""
        self._row = msgspec.structs.replace(self._row, cleared_slot=slot)

    def take(self, points: int) -> Taken:
        """Fold entries for at most so many points."""
        units = points // ENTRY_POINTS  # house: division, how many fit
        left = units
        while left > 0:
            used = self._continue(left) or self._begin(left)
            if not used:
                break
            left -= used
        ended = self._row.large is None and not self._rows(1)
        if ended:
            self._move(epoch=self._end)
        return Taken((units - left) * ENTRY_POINTS, ended)

    def write(self) -> Folding:
        """Write how far folding has come and the lines that it has posted; announce them."""
        if self._claims.postings:
            self._put_postings(self._claims.postings)
        if self._row != self._before:
            FOLDINGS.put(self._context, self._row, self._area)
        return self._row

    def _put_postings(self, postings: Sequence[Posting]) -> None:
        number = self._row.posting_pages
        FOLD_PAGES.put(
            self._context, FoldPage(postings=list(postings)), self._area, fold_page_part(number)
        )
        self._move(posting_pages=number + 1)
        event = AccountsFolded(self._area, number, len(postings))
        self._context.emit("accounts_folded", encode(event))

    def _move(self, **position: int | str | Large | None) -> None:
        self._row = msgspec.structs.replace(self._row, **position)

    def _begin(self, units: int) -> int:
        """Fold the next owners whose entries fit; return how many units that took."""
        rows = self._rows(units + 1)
        fits = len(rows) <= units
        groups = [list(group) for _, group in groupby(rows, lambda row: row.owned)]
        used = 0
        for place, group in enumerate(groups):
            last = place == len(groups) - 1
            if last and not fits and len(group) > 1:
                break
            if last and not fits:
                return used  # the row beyond the units, of the next owner
            if len(group) > units - used:
                return used  # claims that were repaid took the units
            used += self._fold_owner(group, units - used)
            if self._row.large is not None or used >= units:
                return used
        if used or not groups:
            return used
        self._move(large=Large(owner=groups[0][0].owned, step="SUM"))
        return self._continue(units)

    def _fold_owner(self, group: Sequence[_Row], units: int) -> int:
        """Fold all of an owner's entries of an epoch, and as many claims as the units allow."""
        owner = group[0].owner
        self._add(owner, group)
        short_nano = self._short(owner, 0)
        taken_nano = sum(_taken(row) for row in group)
        self._strike(group, taken_nano=taken_nano, passed_nano=0, short_nano=short_nano)
        used = len(group)
        if is_client(owner):
            used += self._repay(owner, group[0].owned, units - used)
        return used

    def _continue(self, units: int) -> int:
        """Continue with the owner in the middle of which folding stands; 0 units without one."""
        large = self._row.large
        if large is None:
            return 0
        owner = large.owner.partition("/")[2]
        if large.step == "REPAY":
            self._move(large=None)
            return self._repay(owner, large.owner, units)
        rows = self._rows(units, of=large.owner, after=large.after)
        ended = len(rows) < units
        if large.step == "SUM":
            self._continue_sum(large, rows, ended=ended)
            return max(1, len(rows))
        passed_nano = large.passed_nano
        self._add(owner, rows)
        self._strike(
            rows,
            taken_nano=large.taken_nano,
            passed_nano=passed_nano,
            short_nano=large.short_nano,
        )
        passed_nano += sum(_taken(row) for row in rows)
        self._move(large=msgspec.structs.replace(large, passed_nano=passed_nano))
        if ended:
            repays = is_client(owner) and self._claims.is_due(owner)
            self._move(large=Large(owner=large.owner, step="REPAY") if repays else None)
        return max(1, len(rows))

    def _continue_sum(self, large: Large, rows: Sequence[_Row], *, ended: bool) -> None:
        owner = large.owner.partition("/")[2]
        money_nano = large.money_nano + sum(row.entry.money_nano for row in rows)
        taken_nano = large.taken_nano + sum(_taken(row) for row in rows)
        if ended:
            short_nano = self._short(owner, money_nano)
            following = Large(
                owner=large.owner, step="STRIKE", taken_nano=taken_nano, short_nano=short_nano
            )
        else:
            following = msgspec.structs.replace(
                large, after=rows[-1].name, money_nano=money_nano, taken_nano=taken_nano
            )
        self._move(large=following)

    def _add(self, owner: str, rows: Sequence[_Row]) -> None:
        """Add entries of one owner to its account."""
        total = Entry()
        for row in rows:
            total = total.plus(row.entry)
        self._accounts.change(
            owner,
            balance_nano=total.money_nano,
            reserved_nano=total.reserved_nano,
            minted_wh=total.minted_wh,
            live_wh=total.live_wh,
            retired_wh=total.retired_wh,
        )

    def _short(self, owner: str, money_nano: int) -> int:
        """What is missing in an account once `money_nano` is added to it."""
        if not is_client(owner):
            return 0
        return max(0, -(self._accounts.account(owner).balance_nano + money_nano))

    def _strike(
        self, rows: Sequence[_Row], *, taken_nano: int, passed_nano: int, short_nano: int
    ) -> None:
        """Delete entries; retailers of the latest causes that take away pay what is missing.

        `passed_nano` of all `taken_nano` were taken by entries before these.
        """
        for row in rows:
            nano = _taken(row)
            passed_nano += nano
            later_nano = taken_nano - passed_nano
            answered_nano = min(nano, max(0, short_nano - later_nano))
            if answered_nano:
                self._claims.strike(
                    row.owner, cause=row.cause, retailer=row.retailer, nano=answered_nano
                )
            ENTRIES.delete(self._context, self._area, *row.name.split("/"))
        if rows:
            self._move(epoch=int(rows[-1].owned.partition("/")[0]), after=rows[-1].name)

    def _repay(self, owner: str, owned: str, units: int) -> int:
        """Repay claims; where the units do not suffice, the next transaction goes on."""
        used = 0
        if self._claims.is_due(owner) and units > 0:
            used = self._claims.repay(owner, claims_max=units)
        if self._claims.is_due(owner):
            self._move(large=Large(owner=owned, step="REPAY"))
        return used

    def _rows(self, rows_max: int, *, of: str = "", after: str = "") -> list[_Row]:
        """The next entries, of all owners or of one epoch and owner."""
        area = ENTRIES.key(self._area)
        if of:
            start, end = f"{area}/{of}/", f"{area}/{of}0"
        else:
            after = after or self._row.after
            start, end = f"{area}/{epoch_part(self._row.epoch)}", f"{area}/{epoch_part(self._end)}"
        if after:
            start = max(start, f"{area}/{after}\x00")
        found: list[_Row] = []
        for key, value in islice(self._context.range(start, end), rows_max):
            name = key[len(area) + 1 :]
            epoch, owner, cause, retailer = name.split("/")
            found.append(
                _Row(name, f"{epoch}/{owner}", owner, cause, retailer, ENTRIES.decode(value))
            )
        return found


def _taken(row: _Row) -> int:
    """What an entry takes from a client's balance."""
    return max(0, -row.entry.money_nano) if is_client(row.owner) else 0
