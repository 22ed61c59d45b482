"""Which mechanism goes by which name.

Each is one pure function from a book to its outcome, in a module of its own. `coupled` on a tree
of one zone is `uniform`; a book of several zones is turned back before it comes here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from chaincode.auctions import uniform
from chaincode.auctions.book import Book
from chaincode.auctions.outcome import Outcome

MECHANISMS: Mapping[str, Callable[[Book], Outcome]] = MappingProxyType(
    {"coupled": uniform.clear, "uniform": uniform.clear}
)
