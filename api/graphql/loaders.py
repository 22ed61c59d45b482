"""Loaders: combine the lookups of all nodes of one answer into one query.

A loader keeps no results: a lookup by a subscription an hour later reads the read model again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar, cast

from strawberry.dataloader import DataLoader

from api.graphql.context import Info

BATCH_MAX = 500  # keys per query

K = TypeVar("K")
V = TypeVar("V")


async def load_together(
    info: Info, name: str, load: Callable[[list[K]], Awaitable[Sequence[V]]], key: K
) -> V:
    """Load a key with the operation's loader of that name; the first call creates the loader."""
    loaders = info.context.loaders
    loader = loaders.get(name)
    if loader is None:
        made = DataLoader[K, V](load_fn=load, max_batch_size=BATCH_MAX, cache=False)
        loader = loaders[name] = cast("DataLoader[object, object]", made)
    return cast("V", await loader.load(key))


def grouped(records: Sequence[V], key: Callable[[V], K]) -> dict[K, list[V]]:
    """Group records by a key, each group in the order of the records."""
    groups: dict[K, list[V]] = defaultdict(list)
    for record in records:
        groups[key(record)].append(record)
    return groups
