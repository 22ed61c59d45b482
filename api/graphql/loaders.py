"""What the nodes of one answer ask for, gathered: one question for all of them, not one for each.

Loaders gather and keep nothing: what a subscription asks for an hour later they read again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar, cast

from strawberry.dataloader import DataLoader

from api.graphql.context import Info

BATCH_MAX = 500  # keys of one question

K = TypeVar("K")
V = TypeVar("V")


async def load_together(
    info: Info, name: str, load: Callable[[list[K]], Awaitable[Sequence[V]]], key: K
) -> V:
    """Ask through the operation's loader of that name, which its first caller makes."""
    loaders = info.context.loaders
    loader = loaders.get(name)
    if loader is None:
        made = DataLoader[K, V](load_fn=load, max_batch_size=BATCH_MAX, cache=False)
        loader = loaders[name] = cast("DataLoader[object, object]", made)
    return cast("V", await loader.load(key))


def grouped(records: Sequence[V], key: Callable[[V], K]) -> dict[K, list[V]]:
    """Records by a key, each group in the order of the records."""
    groups: dict[K, list[V]] = defaultdict(list)
    for record in records:
        groups[key(record)].append(record)
    return groups
