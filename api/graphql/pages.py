"""Connections: pages of a list by opaque cursor, forwards only.

A cursor is the key of a row in the list's own order. So a page costs the same wherever it begins,
and new rows do not shift it. The whole list is counted only if the document selects the count.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated, Any, Generic, Protocol, TypeVar

import strawberry

from api.access.table import ANYBODY
from api.faults import ARGUMENT_CURSOR, ARGUMENT_RANGE
from api.graphql.fields import OF_NODE, asked, object_type, shown
from api.graphql.scalars import Time
from api.read_model.database import ReadRefused
from api.read_model.paging import Columns
from api.read_model.records import Page
from api.services import Services

PAGE_MAX = 500  # rows of one page
SPAN_SLOTS_MAX = 2_000  # slots per query for prices or readings: three weeks of quarter hours
SLOT_S_DEFAULT = 900  # used until the read model knows the area

From = Annotated[Time, strawberry.argument(name="from")]
To = Annotated[Time, strawberry.argument(name="to")]
FromOrNone = Annotated[Time | None, strawberry.argument(name="from")]
ToOrNone = Annotated[Time | None, strawberry.argument(name="to")]

T = TypeVar("T")


class Keyed(Protocol):
    """A record of a list that is read in pages."""

    @property
    def cursor(self) -> str:
        """The cursor behind this row."""
        ...


R = TypeVar("R", bound=Keyed)


@dataclass(frozen=True)
class Listing(Generic[R]):
    """A list that can be read in pages, (rows, cursor) -> page, and counted.

    `columns` reads the same page with only some of the fields, for lists where this costs less.
    """

    read: Callable[[int, str | None], Awaitable[Page[R]]]
    count: Callable[[], Awaitable[int]]
    columns: Callable[[Sequence[str], int, str | None], Awaitable[Columns]] | None = None


@object_type("Whether more rows follow, and from which cursor.")
class PageInfo:
    """Whether more rows follow, and from which cursor."""

    has_next_page: bool = shown(ANYBODY)
    end_cursor: str | None = shown(ANYBODY)


@object_type("An element of a list and the cursor behind it.")
class Edge(Generic[T]):
    """An element of a list and the cursor behind it."""

    cursor: str = shown(OF_NODE)
    node: T = shown(OF_NODE)


@object_type("A page of a list.")
class Connection(Generic[T]):
    """A page of a list; the whole list is counted only if `totalCount` is selected."""

    edges: list[Edge[T]] = shown(OF_NODE)
    nodes: list[T] = shown(OF_NODE)
    page_info: PageInfo = shown(OF_NODE)
    count: strawberry.Private[Callable[[], Awaitable[int]]]

    @asked(OF_NODE, description="The number of rows in the whole list.")
    async def total_count(self) -> int:
        """Return the number of rows in the whole list."""
        return await self.count()


async def connect(
    listing: Listing[R], node: Callable[[R], T], *, first: int | None, after: str | None
) -> Connection[T]:
    """Return the page of `first` rows after the cursor `after`.

    Raises `ARGUMENT_RANGE` and `ARGUMENT_CURSOR`.
    """
    page = await read_page(listing, first=first, after=after)
    nodes = [node(record) for record in page.rows]
    cursors = [record.cursor for record in page.rows]
    return Connection(
        edges=[Edge(cursor=cursor, node=node) for cursor, node in zip(cursors, nodes, strict=True)],
        nodes=nodes,
        page_info=PageInfo(has_next_page=page.more, end_cursor=cursors[-1] if cursors else None),
        count=listing.count,
    )


async def read_page(listing: Listing[R], *, first: int | None, after: str | None) -> Page[R]:
    """One page of records. Raises `ARGUMENT_RANGE` and `ARGUMENT_CURSOR`."""
    size = _checked_size(first)
    try:
        return await listing.read(size, after)
    except ReadRefused:
        raise ARGUMENT_CURSOR(value=after) from None


async def read_columns(
    listing: Listing[R], fields: Sequence[str], *, first: int | None, after: str | None
) -> Columns:
    """Return some fields of the records of one page. Raises as `read_page` does."""
    if listing.columns is None:
        page = await read_page(listing, first=first, after=after)
        return columns_of(page.rows, fields, more=page.more)
    size = _checked_size(first)
    try:
        return await listing.columns(fields, size, after)
    except ReadRefused:
        raise ARGUMENT_CURSOR(value=after) from None


def columns_of(records: Sequence[Any], fields: Sequence[str], *, more: bool) -> Columns:
    """Return the columns of records that were read whole."""
    of = {field: list(map(attrgetter(field), records)) for field in fields}
    return Columns(of, more)


def _checked_size(first: int | None) -> int:
    if first is None or not 1 <= first <= PAGE_MAX:
        raise ARGUMENT_RANGE(name="first", value=first, bound=f"1 to {PAGE_MAX}")
    return first


async def slot_length_s(services: Services) -> int:
    """Return the length of the area's slots."""
    area = await services.freshness.area()
    return SLOT_S_DEFAULT if area is None else area.slot_s


async def check_span(services: Services, from_s: int, to_s: int) -> None:
    """Refuse a span of time that ends before it begins or has more than `SPAN_SLOTS_MAX` slots."""
    slot_s = await slot_length_s(services)
    if not 0 <= to_s - from_s <= SPAN_SLOTS_MAX * slot_s:
        bound = f"at or after `from`, and at most {SPAN_SLOTS_MAX} slots of {slot_s} s after it"
        raise ARGUMENT_RANGE(name="to", value=to_s, bound=bound)


def dotted(slot: int, name: object) -> str:
    """Make the cursor of a row whose key is its slot and another value."""
    return f"{slot}.{name}"
