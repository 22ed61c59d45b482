"""Typed tables over an engine's state, and the layout of keys.

A key is `<table number>/<part>/<part>…`: two digits, then parts that never contain `/`. Slots are
written with 12 digits so that text order is time order. Table numbers are never reused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Annotated, Generic, Literal, TypeVar, get_origin

import msgspec

from chaincode.context import Context
from chaincode.errors import Broken
from identity.canonical import encode

SLOT_DIGITS = 12
SLOT_PART_MAX = 10**SLOT_DIGITS - 1
SECOND_MAX = 253_402_300_799  # end of the year 9999
INTEGER_MAX = 2**53 - 1  # the largest integer that every JSON reader holds exactly

Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,64}\Z")]
"""The name of a zone, an area, a meter, a member or a client's order."""
Did = Annotated[str, msgspec.Meta(pattern=r"^did:key:z[1-9A-HJ-NP-Za-km-z]{40,64}\Z")]
"""The pseudonymous name of a trader, an oracle node or the regulator."""
Name = Annotated[str, msgspec.Meta(max_length=64)]
"""A name that is only looked up and compared, or that was checked when it arrived."""
DidName = Annotated[str, msgspec.Meta(max_length=128)]
"""A DID or the owner of an account that was checked when it arrived."""
KeyPart = Annotated[str, msgspec.Meta(max_length=512)]
"""A part of a key at which a run continues."""
CLIENT_PREFIX = "did:"
"""A client's account is named by its DID; accounts of members and of purposes are not."""
AccountName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9:._-]{1,128}\Z")]
"""The owner of an account: a DID, a member, or a purpose such as `vat:<member>`."""
OrderName = Annotated[str, msgspec.Meta(max_length=200)]
"""The full name of an order or of one of its steps: `<DID>/<id>#<step>`."""
Second = Annotated[int, msgspec.Meta(ge=0, le=SECOND_MAX)]
"""Seconds UTC since 1970."""
Count = Annotated[int, msgspec.Meta(ge=0, le=INTEGER_MAX)]
"""A quantity that is not negative."""
Signed = Annotated[int, msgspec.Meta(ge=-INTEGER_MAX, le=INTEGER_MAX)]
"""A price or a rate that may be negative."""
Rate = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
"""Parts per million of one."""
GridLevel = Annotated[int, msgspec.Meta(ge=3, le=7)]
"""Grid level as grid operators count it: from 3 (high voltage) to 7 (low voltage)."""
Hex32 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
"""32 bytes in lower-case hex."""
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
"""Why somebody did what binds others at once; it stands on the ledger."""
Side = Literal["buy", "sell"]


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of every stored struct, with the version of the struct's layout.

    Names were checked when they arrived as arguments; rows bound their lengths only. Every text and
    every list in a row has a bound in its type, so a row cannot grow beyond what a run can carry.
    """

    v: int = 1


R = TypeVar("R", bound=Row)
D = TypeVar("D")


def slot_part(slot: int) -> str:
    """A slot's start as part of a key."""
    return f"{slot:0{SLOT_DIGITS}d}"


def inverted_part(slot: int) -> str:
    """A slot's start as part of a key, counted backwards, so that text order is newest first."""
    return f"{SLOT_PART_MAX - slot:0{SLOT_DIGITS}d}"


def page_part(page: int) -> str:
    """A page number as part of a key."""
    return f"{page:06d}"


class Table(Generic[R]):
    """Rows of one struct under one table number."""

    def __init__(
        self,
        number: int,
        name: str,
        struct: type[R],
        parts: Sequence[str],
        *,
        remembered: int = 0,
    ) -> None:
        """Keep up to `remembered` decoded rows, and reuse a row while its bytes are the same."""
        self.number = number
        self.name = name
        self.struct = struct
        self.parts = tuple(parts)
        self._prefix = f"{number:02d}/"
        self._kind = get_origin(struct) or struct
        decode = msgspec.json.Decoder(struct).decode
        self._decode = lru_cache(remembered)(decode) if remembered else decode

    def key(self, *parts: str) -> str:
        """The key of the row named by `parts`."""
        return self._prefix + "/".join(parts)

    def get(self, context: Context, *parts: str) -> R | None:
        """The row; None where it is absent."""
        return self.found(context.get(self.key(*parts)))

    def get_many(self, context: Context, names: Sequence[Sequence[str]]) -> list[R | None]:
        """The rows in the order asked; None where a row is absent."""
        prefix, decode = self._prefix, self._decode
        values = context.get_many([prefix + "/".join(parts) for parts in names])
        try:
            return [None if value is None else decode(value) for value in values]
        except msgspec.ValidationError as error:
            raise Broken(f"{self.name}: {error}") from None

    def put(self, context: Context, row: R, *parts: str) -> bytes:
        """Write the row when the transaction commits; return the bytes that are stored."""
        if type(row) is not self._kind or len(parts) != len(self.parts):
            raise Broken(f"{self.name} takes {self.struct.__name__} by {self.parts}")
        value = encode(row)
        context.put(self.key(*parts), value)
        return value

    def delete(self, context: Context, *parts: str) -> None:
        """Remove the row when the transaction commits."""
        context.delete(self.key(*parts))

    def range(
        self, context: Context, *parts: str, after: str = "", until: str = ""
    ) -> Iterator[tuple[str, R]]:
        """Rows whose first parts are `parts`, in key order, with a next part beyond `after`.

        With `until`, the rows end with the next part `until`.

        Yields the rest of the key (the last parts joined by `/`) with the row.
        """
        prefix = self.key(*parts) + "/" if parts else self._prefix
        start = prefix + after + "\x00" if after else prefix
        end = prefix + until + "0" if until else prefix[:-1] + "0"
        for key, value in context.range(start, end):
            yield key[len(prefix) :], self.decode(value)

    def found(self, value: bytes | None) -> R | None:
        """The row from the bytes that were read at its key; None where the key is absent."""
        return None if value is None else self.decode(value)

    def decode(self, value: bytes) -> R:
        """The row from its stored bytes."""
        try:
            return self._decode(value)
        except msgspec.ValidationError as error:
            raise Broken(f"{self.name}: {error}") from None


class DatedTable(Table[R]):
    """Rows that hold from a slot on: one row per version, under its slot counted backwards.

    The last part of a key is the inverted slot, so the newest version at a slot is the first row
    of a range, and any number of older versions costs a reader nothing.
    """

    def at(self, context: Context, *name: str, slot: int) -> R | None:
        """The version of `name` that holds for `slot`; None before the first version."""
        found = self.version_at(context, *name, slot=slot)
        return None if found is None else found[1]

    def version_at(self, context: Context, *name: str, slot: int) -> tuple[int, R] | None:
        """The version that holds for `slot`, after the slot that the version begins with."""
        for found in self.from_slot(context, *name, slot=slot):
            return found
        return None

    def from_newest(self, context: Context, *name: str) -> Iterator[tuple[int, R]]:
        """All versions with the slots that they begin with, the newest first, read lazily."""
        return self.from_slot(context, *name, slot=SLOT_PART_MAX)

    def from_slot(self, context: Context, *name: str, slot: int) -> Iterator[tuple[int, R]]:
        """The version that holds for `slot` and those before it, newest first, read lazily."""
        prefix = self.key(*name) + "/"
        for key, value in context.range(prefix + inverted_part(slot), prefix[:-1] + "0"):
            yield SLOT_PART_MAX - int(key[len(prefix) :]), self.decode(value)

    def put_from(self, context: Context, row: R, *name: str, from_slot: int) -> None:
        """Write a version; a version that begins at the same slot is replaced."""
        self.put(context, row, *name, inverted_part(from_slot))

    def prune(self, context: Context, *name: str, needed_slot: int, rows_max: int = 10) -> None:
        """Delete up to `rows_max` versions that `needed_slot` and later slots do not need."""
        older = islice(self.from_slot(context, *name, slot=needed_slot), 1, rows_max + 1)
        for from_slot, _ in list(older):
            self.delete(context, *name, inverted_part(from_slot))


class Dated(msgspec.Struct, Generic[D], frozen=True, forbid_unknown_fields=True):
    """A value and the first slot that it holds for."""

    from_slot: Second
    value: D


RECENT_MAX = 4  # versions in the row of a name: the one that holds now and a few beside it


class Recent(Row, Generic[D], frozen=True):
    """The newest versions of a name, oldest first; `has_older` says that there were others."""

    versions: Annotated[list[Dated[D]], msgspec.Meta(max_length=RECENT_MAX)]
    has_older: bool = False


class OlderVersion(Row, Generic[D], frozen=True):
    """A version that has left the row of its name."""

    value: D


class RecentTable(Table[Recent[D]], Generic[D]):
    """Dated values of many names: the newest few versions of a name in one row, read with others.

    A range read for each name would be a message to the peer for each name. Where many names are
    read at once, one row per name holds the newest versions. Older versions lie in `older`.
    """

    def __init__(
        self,
        number: int,
        name: str,
        struct: type[Recent[D]],
        parts: Sequence[str],
        *,
        older: DatedTable[OlderVersion[D]],
        remembered: int = 0,
    ) -> None:
        """Keep the newest versions in this table, and the others in `older`."""
        super().__init__(number, name, struct, parts, remembered=remembered)
        self.older = older

    def at_many(
        self, context: Context, names: Sequence[Sequence[str]], *, slot: int
    ) -> list[D | None]:
        """The values that hold for `slot`, in the order asked; None before a first version."""
        rows = self.get_many(context, names)
        return [
            self.value_at(context, row, *name, slot=slot)
            for name, row in zip(names, rows, strict=True)
        ]

    def value_at(self, context: Context, row: Recent[D] | None, *name: str, slot: int) -> D | None:
        """The value that holds for `slot`, from the row of `name` that was read already."""
        if row is None:
            return None
        value = at_slot(row.versions, slot)
        if value is not None or not row.has_older:
            return value
        older = self.older.at(context, *name, slot=slot)
        return None if older is None else older.value

    def put_from(self, context: Context, value: D, *name: str, from_slot: int) -> None:
        """Write a version; a version that begins at the same slot is replaced."""
        row = self.get(context, *name) or self.struct(versions=[])
        versions = with_version(row.versions, from_slot, value)
        for dated in versions[:-RECENT_MAX]:
            self._put_older(context, dated, name)
        has_older = row.has_older or len(versions) > RECENT_MAX
        stored = self.struct(versions=versions[-RECENT_MAX:], has_older=has_older)
        self.put(context, stored, *name)

    def prune(self, context: Context, *name: str, needed_slot: int, rows_max: int = 10) -> None:
        """Delete up to `rows_max` versions that `needed_slot` and later slots do not need."""
        row = self.get(context, *name)
        if row is not None and row.has_older:
            self.older.prune(context, *name, needed_slot=needed_slot, rows_max=rows_max)

    def _put_older(self, context: Context, dated: Dated[D], name: Sequence[str]) -> None:
        version = self.older.struct(value=dated.value)
        self.older.put_from(context, version, *name, from_slot=dated.from_slot)


def at_slot(versions: Sequence[Dated[D]], slot: int) -> D | None:
    """The value that holds for `slot`: the last value that begins at or before `slot`."""
    for version in reversed(versions):
        if version.from_slot <= slot:
            return version.value
    return None


def with_version(versions: Sequence[Dated[D]], from_slot: int, value: D) -> list[Dated[D]]:
    """`versions` with `value` from `from_slot` on; a version that began there is replaced."""
    kept = [version for version in versions if version.from_slot != from_slot]
    return sorted([*kept, Dated(from_slot, value)], key=lambda version: version.from_slot)
