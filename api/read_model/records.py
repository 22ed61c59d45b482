"""Records that all reads share: pages of rows, and the checkpoint."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

R = TypeVar("R")


class Page(NamedTuple, Generic[R]):
    """Rows of one page in order; `more` says whether more rows follow."""

    rows: list[R]
    more: bool


class CheckpointRecord(NamedTuple):
    """The last transaction that the read model holds; block 0 if it holds no transaction."""

    block: int
    place: int
    time_s: int
    channel: str
    contract: str
