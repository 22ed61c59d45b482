"""What every reading of the tables gives: pages of rows, and how far the tables are."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

R = TypeVar("R")


class Page(NamedTuple, Generic[R]):
    """Rows of one page in order; `more` is whether others follow them."""

    rows: list[R]
    more: bool


class CheckpointRecord(NamedTuple):
    """How far the read model is: the last transaction it holds; block 0 where it holds none."""

    block: int
    place: int
    time_s: int
    channel: str
    contract: str
