"""Who may see or do what: a table of fields and a table of rows.

A field of the schema declares who may select it (`api.graphql.fields`). Two readers are not signed
in: `STRANGER` in any market, and `ONLOOKER` where the market shows its book to everybody
(`Services.shows_book`). `Rights` is the table of all those declarations, and a field without one is
refused to everybody. The check is made once per document, over all fields that it can reach
(`api.graphql.guard.admission` collects them), so it costs nothing while the document is executed.
Fields below `Query.viewer` are checked only for signed-in readers, because `viewer` is null for
everybody else. A scope says which rows of a subject a role may see.

The regulator reads everything and changes nothing in the market; the four fields that begin,
prolong and end a session are open to everybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

import msgspec

from api.faults import FORBIDDEN, UNAUTHENTICATED, ApiFault
from api.services import Role

Reader = Literal["STRANGER", "ONLOOKER"] | Role
Subject = Literal["orders", "trades", "accounts", "certificates", "meters", "readings", "clients"]
Scope = Literal["none", "own", "clients", "area", "all"]

ROLES: tuple[Role, ...] = get_args(Role)
READERS: tuple[Reader, ...] = ("STRANGER", "ONLOOKER", *ROLES)
SUBJECTS: tuple[Subject, ...] = get_args(Subject)


class Viewer(msgspec.Struct, frozen=True):
    """A signed-in user: DID, role, member (None for a household), area and session."""

    did: str
    role: Role
    member: str | None
    area: str
    family: str


ANYBODY: frozenset[Reader] = frozenset(READERS)
SIGNED_IN: frozenset[Reader] = frozenset(ROLES)
BOOK: frozenset[Reader] = frozenset({*ROLES, "ONLOOKER"})
TRADERS: frozenset[Reader] = frozenset({"HOUSEHOLD", "RETAILER"})

# The rows of a subject that a role may see. "clients" and "area" include the viewer's own.
_SCOPES: Mapping[Role, Mapping[Subject, Scope]] = {
    "HOUSEHOLD": {
        "orders": "own", "trades": "own", "accounts": "own", "certificates": "own",
        "meters": "own", "readings": "own", "clients": "none",
    },
    "RETAILER": {
        "orders": "clients", "trades": "clients", "accounts": "clients",
        "certificates": "clients", "meters": "clients", "readings": "clients",
        "clients": "clients",
    },
    "DSO": {
        "orders": "own", "trades": "area", "accounts": "own", "certificates": "own",
        "meters": "area", "readings": "area", "clients": "none",
    },
    "OPERATOR": {
        "orders": "own", "trades": "own", "accounts": "own", "certificates": "own",
        "meters": "all", "readings": "all", "clients": "none",
    },
    "REGULATOR": {
        "orders": "all", "trades": "all", "accounts": "all", "certificates": "all",
        "meters": "all", "readings": "all", "clients": "all",
    },
}  # fmt: skip


def reader_of(viewer: Viewer | None, *, shows_book: bool) -> Reader:
    """Return the viewer's kind of reader; `shows_book` says whether strangers may read the book."""
    if viewer is not None:
        return viewer.role
    return "ONLOOKER" if shows_book else "STRANGER"


def is_signed_in(reader: Reader) -> bool:
    """Return whether `reader` is signed in."""
    return reader in SIGNED_IN


class Rights:
    """The table of fields: who may select each `Type.field`; a field without a row is refused."""

    def __init__(self, fields: Mapping[str, frozenset[Reader]]) -> None:
        self.fields = dict(fields)
        self._allowed: Mapping[Reader, frozenset[str]] = {
            reader: frozenset(field for field, readers in fields.items() if reader in readers)
            for reader in READERS
        }

    def is_allowed(self, reader: Reader, field: str) -> bool:
        """Return whether `reader` may select `Type.field`; False for a field without a row."""
        return field in self._allowed[reader]

    def check(self, reader: Reader, fields: Iterable[str]) -> None:
        """Raise `UNAUTHENTICATED` or `FORBIDDEN` unless `reader` may select each `Type.field`."""
        refused = frozenset(fields) - self._allowed[reader]
        if refused:
            # The error names the same field whatever the order of the document.
            raise refusal(reader, min(refused))


def refusal(reader: Reader, what: str) -> ApiFault:
    """Return the fault for a reader that may not select `what`."""
    if not is_signed_in(reader):
        return UNAUTHENTICATED(what=what)
    return FORBIDDEN(what=what, role=reader)


def scope(viewer: Viewer, subject: Subject) -> Scope:
    """Return which rows of `subject` the viewer may see."""
    return _SCOPES[viewer.role][subject]


def may_see_row(
    viewer: Viewer,
    subject: Subject,
    *,
    owners: Iterable[str],
    retailers: Iterable[str] = (),
    area: str,
) -> bool:
    """Return whether the viewer may see a row.

    `owners` are the DIDs that the row belongs to (both sides of a trade), or the member for a
    member's account; `retailers` are the retailers of these owners.
    """
    if area != viewer.area:
        return _SCOPES[viewer.role][subject] == "all"
    match _SCOPES[viewer.role][subject]:
        case "none":
            return False
        case "own":
            return _is_own(viewer, owners)
        case "clients":
            is_client = viewer.member is not None and viewer.member in set(retailers)
            return is_client or _is_own(viewer, owners)
        case "area" | "all":
            return True


def _is_own(viewer: Viewer, owners: Iterable[str]) -> bool:
    owned = set(owners)
    return viewer.did in owned or (viewer.member is not None and viewer.member in owned)
