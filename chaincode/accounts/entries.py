"""Entries: what settlements, corrections, payments and fees add to accounts before it is folded.

An entry is appended under the area's open epoch and changes no balance, so appending needs no lane
and a settlement that stands still holds up nobody. There is one entry for each epoch, owner, cause
and answering retailer. Closing a gate closes the epoch; a closed epoch takes no more entries, and
the lane folds it (`slots/folding.py`).

A cause begins with the start of its slot, so that the order of causes is the order of slots;
payments belong to no slot and come first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from chaincode.accounts.balances import ACCOUNTS, Account, folding_of, is_client
from chaincode.accounts.posting import Posting
from chaincode.context import Context
from chaincode.errors import FOLDING_BEHIND, Broken
from chaincode.state import Row, Table, slot_part
from chaincode.units import Money

EPOCHS_BEHIND_MAX = 500  # unfolded epochs that are searched for the entries of one owner
NO_RETAILER = "-"  # in the key of an entry for whose owner no retailer answers


class Epoch(Row, frozen=True):
    """The area's open epoch, under which entries are appended."""

    open: int


class Entry(Row, frozen=True, gc=False):
    """What a cause adds to an account; folding adds it to the balance and deletes it.

    `money_nano` below zero takes away. `reserved_nano` above zero is reserved by folding, below
    zero it is released. Certificates are in Wh; a correction downwards takes back what was minted
    and what was retired, so `minted_wh`, `live_wh` and `retired_wh` may be below zero.
    """

    money_nano: int = 0
    reserved_nano: int = 0
    minted_wh: int = 0
    live_wh: int = 0
    retired_wh: int = 0

    def plus(self, other: Entry) -> Entry:
        """The sum of two entries."""
        return Entry(
            money_nano=self.money_nano + other.money_nano,
            reserved_nano=self.reserved_nano + other.reserved_nano,
            minted_wh=self.minted_wh + other.minted_wh,
            live_wh=self.live_wh + other.live_wh,
            retired_wh=self.retired_wh + other.retired_wh,
        )

    @property
    def takes_nano(self) -> int:
        """What the entry takes from the free money: money paid and money newly reserved."""
        return max(0, -self.money_nano) + max(0, self.reserved_nano)


NOTHING = Entry()

EPOCHS = Table(31, "epochs", Epoch, ("area",))
ENTRIES = Table(35, "entries", Entry, ("area", "epoch", "owner", "cause", "retailer"))


class Unfolded(NamedTuple):
    """An owner's entries that are not folded yet: how many, what they give, what they take."""

    entries: int
    money_nano: int
    takes_nano: int


def settlement_cause(slot: int) -> str:
    """The cause of what a settlement appends."""
    return f"{slot_part(slot)}~0"


def correction_cause(slot: int, number: int) -> str:
    """The cause of what a slot's correction of this number appends."""
    return f"{slot_part(slot)}~{number:06d}"


def fee_cause(slot: int) -> str:
    """The cause of what is reserved for the cancellation fees of a slot."""
    return f"{slot_part(slot)}~fee"


def payment_cause(member: str, reference: str) -> str:
    """The cause of a payment that a member has named so."""
    return f"{slot_part(0)}~{member}~{reference}"


def epoch_part(epoch: int) -> str:
    """An epoch as part of a key, in text order."""
    return f"{epoch:012d}"


def open_epoch(context: Context, area: str) -> int:
    """The number of the area's open epoch."""
    epoch = EPOCHS.get(context, area)
    return 0 if epoch is None else epoch.open


def close_epoch(context: Context, area: str) -> int:
    """Close the open epoch and return its number.

    A transaction that appends to the epoch at the same time conflicts.
    """
    closed = open_epoch(context, area)
    EPOCHS.put(context, Epoch(open=closed + 1), area)
    return closed


class NewEntries:
    """The entries of one cause that a transaction appends, one for each owner and retailer."""

    def __init__(self, context: Context, area: str, cause: str) -> None:
        self._context = context
        self._area = area
        self._cause = cause
        # The numbers of an entry in the order of its fields, added to for each of many lines.
        self._sums: dict[tuple[str, str], list[int]] = {}

    def add(self, owner: str, entry: Entry, *, retailer: str = NO_RETAILER) -> None:
        """Append an entry of `owner`; `retailer` answers for what it takes from a client."""
        sums = self._sums_of(owner, retailer)
        sums[0] += entry.money_nano
        sums[1] += entry.reserved_nano
        sums[2] += entry.minted_wh
        sums[3] += entry.live_wh
        sums[4] += entry.retired_wh

    def release(self, owner: str, reserved_nano: int, *, retired_wh: int, retailer: str) -> None:
        """Release what was reserved for a trade of `owner`, with what it retires by the trade."""
        sums = self._sums_of(owner, retailer)
        sums[1] -= reserved_nano
        sums[4] += retired_wh

    def post(self, postings: Iterable[Posting], answering: Mapping[str, str]) -> None:
        """Append what postings move, which must sum to zero.

        `answering` names for each client among the accounts, and for no other account, the retailer
        that answers.
        """
        moved_nano: dict[str, int] = {}
        for posting in postings:
            account = posting.account
            moved_nano[account] = moved_nano.get(account, 0) + posting.amount_nano
        total = sum(moved_nano.values())
        if total:
            raise Broken(f"postings in {self._area} sum to {Money(total)}")
        for account, nano in moved_nano.items():
            self._sums_of(account, answering.get(account, NO_RETAILER))[0] += nano

    def write(self) -> int | None:
        """Write the entries under the open epoch and return the epoch; None without an entry."""
        places = sorted(place for place, sums in self._sums.items() if any(sums))
        if not places:
            return None
        epoch = open_epoch(self._context, self._area)
        part = epoch_part(epoch)
        keys = [(self._area, part, owner, self._cause, retailer) for owner, retailer in places]
        held = ENTRIES.get_many(self._context, keys)
        for (owner, retailer), key, before in zip(places, keys, held, strict=True):
            entry = _entry(self._sums[owner, retailer])
            if is_client(owner) and entry.money_nano and retailer == NO_RETAILER:
                raise Broken(f"nobody answers for what {owner} may owe")
            if before is not None:
                entry = before.plus(entry)
            if entry == NOTHING:  # as if it had been appended in one transaction
                ENTRIES.delete(self._context, *key)
            else:
                ENTRIES.put(self._context, entry, *key)
        self._sums = {}
        return epoch

    def _sums_of(self, owner: str, retailer: str) -> list[int]:
        place = owner, retailer
        sums = self._sums.get(place)
        if sums is None:
            sums = self._sums[place] = [0, 0, 0, 0, 0]
        return sums


def _entry(sums: Sequence[int]) -> Entry:
    money_nano, reserved_nano, minted_wh, live_wh, retired_wh = sums
    return Entry(
        money_nano=money_nano,
        reserved_nano=reserved_nano,
        minted_wh=minted_wh,
        live_wh=live_wh,
        retired_wh=retired_wh,
    )


def unfolded_epochs(context: Context, area: str) -> range:
    """The epochs whose entries are not all folded, the open epoch included."""
    return range(folding_of(context, area).epoch, open_epoch(context, area) + 1)


def unfolded_entries(context: Context, area: str, owner: str) -> Iterator[tuple[str, Entry]]:
    """An owner's entries that are not folded yet, after their epoch, cause and retailer.

    Refused while more epochs wait than can be searched.
    """
    epochs = unfolded_epochs(context, area)
    if len(epochs) > EPOCHS_BEHIND_MAX:
        raise FOLDING_BEHIND(area=area, epochs=len(epochs), limit=EPOCHS_BEHIND_MAX)
    for epoch in epochs:
        for rest, entry in ENTRIES.range(context, area, epoch_part(epoch), owner):
            yield f"{epoch}/{rest}", entry


def unfolded(context: Context, area: str, owner: str) -> Unfolded:
    """The sums of an owner's entries that are not folded yet."""
    count = money_nano = takes_nano = 0
    for _, entry in unfolded_entries(context, area, owner):
        count += 1
        money_nano += entry.money_nano
        takes_nano += entry.takes_nano
    return Unfolded(count, money_nano, takes_nano)


def free_nano(account: Account, waiting: Unfolded) -> int:
    """What an owner may take out: what entries that are not folded yet give does not count."""
    return account.balance_nano - account.reserved_nano - account.claims_nano - waiting.takes_nano


def hold_fee(context: Context, *, area: str, slot: int, owner: str, fee_nano: int) -> int:
    """Reserve a cancellation fee as far as free money reaches; return the reserved part.

    The rest lapses. The reserve is an entry, so the account's row stays as it is.
    """
    account = ACCOUNTS.get(context, area, owner) or Account()
    held_nano = min(fee_nano, max(0, free_nano(account, unfolded(context, area, owner))))
    if held_nano:
        entries = NewEntries(context, area, fee_cause(slot))
        entries.add(owner, Entry(reserved_nano=held_nano))
        entries.write()
    return held_nano
