"""Who may see or do what: one table of fields, one table of rows. Whatever has no row is refused.

A field's row names who may select it. Two readers are not signed in: `STRANGER` in any market, and
`ONLOOKER` where the market shows its book to everybody (`Services.shows_book`). The decision is made
once per document, over all the fields that it can reach (`api.graphql.guard.admission` collects
them), so executing it costs nothing more. What lies under `Query.viewer` is judged for those signed in only: to
everybody else the field is null. A row's scope says whose rows a role is shown of a subject.

The regulator reads everything and changes nothing in the market; the four fields that begin, prolong
and end a session are everybody's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

import msgspec

from api.faults import FORBIDDEN, UNAUTHENTICATED
from api.services import Role

Reader = Literal["STRANGER", "ONLOOKER"] | Role
Subject = Literal["orders", "trades", "accounts", "certificates", "meters", "readings", "clients"]
Scope = Literal["none", "own", "clients", "area", "all"]

ROLES: tuple[Role, ...] = get_args(Role)
READERS: tuple[Reader, ...] = ("STRANGER", "ONLOOKER", *ROLES)
SUBJECTS: tuple[Subject, ...] = get_args(Subject)


class Viewer(msgspec.Struct, frozen=True):
    """Who is signed in: its DID, role, member (None for a household), area, and its session."""

    did: str
    role: Role
    member: str | None
    area: str
    family: str


_ANYBODY = frozenset(READERS)
_SIGNED_IN: frozenset[Reader] = frozenset(ROLES)
_BOOK: frozenset[Reader] = frozenset({*ROLES, "ONLOOKER"})
_TRADERS: frozenset[Reader] = frozenset({"HOUSEHOLD", "RETAILER"})
_HOUSEHOLDS: frozenset[Reader] = frozenset({"HOUSEHOLD"})
_PROPOSED: frozenset[Reader] = frozenset({"HOUSEHOLD", "RETAILER", "REGULATOR"})
_SLOT_TRADES: frozenset[Reader] = frozenset({"DSO", "REGULATOR"})
_CLIENTS: frozenset[Reader] = frozenset({"RETAILER", "REGULATOR"})
_ORACLE: frozenset[Reader] = frozenset({"OPERATOR", "DSO", "REGULATOR"})

# Type, its fields, and who may select them.
_ROWS: tuple[tuple[str, str, frozenset[Reader]], ...] = (
    ("Query", "market viewer zones slots slot prices", _ANYBODY),
    ("Query", "book", _BOOK),
    ("Query", "myOrders order myTrades balance postings", _SIGNED_IN),
    ("Query", "certificates meters readings", _SIGNED_IN),
    ("Query", "trades", _SLOT_TRADES),
    ("Query", "clients", _CLIENTS),
    ("Query", "oracleNodes", _ORACLE),
    ("Query", "offerProposal", _PROPOSED),
    ("Mutation", "challenge signIn refresh signOut", _ANYBODY),
    ("Mutation", "placeOrders amendOrders cancelOrders", _TRADERS),
    ("Mutation", "enrol", _HOUSEHOLDS),
    ("Subscription", "prices slots", _ANYBODY),
    ("Subscription", "myTrades myBalance", _SIGNED_IN),
    ("Market", "area channel contract currency timeZone slotS marketTime rate engine", _ANYBODY),
    ("Market", "writable sentence block blockTime openSlots demonstration publicBook", _ANYBODY),
    ("SlotTerms", "start gate priceMin priceMax", _ANYBODY),
    ("Viewer", "did role member name meters retailer zone locked", _SIGNED_IN),
    ("Zone", "id area parent gridLevel paused lastPrice lastSlot", _ANYBODY),
    ("Slot", "start phase gate zones settled residual surplus minted retired", _ANYBODY),
    ("Slot", "estimatedMeters block", _ANYBODY),
    ("PricePoint", "slot zone price volume orders trades", _ANYBODY),
    ("Book", "slot zone buys sells clearingPrice block", _BOOK),
    ("BookStep", "price quantity", _BOOK),
    ("Order", "id clientId slot trader meter zone side quantity limit steps state", _SIGNED_IN),
    ("Order", "matched settled revision leftOut placed expires block trades", _SIGNED_IN),
    ("Trade", "id slot number side counterparty buyer seller buyMeter sellMeter", _SIGNED_IN),
    ("Trade", "quantity buyPrice sellPrice relation settled state block postings", _SIGNED_IN),
    ("Balance", "owner amount available reserved minted live retired block", _SIGNED_IN),
    ("Posting", "id slot account amount kind trade explain rule cause block", _SIGNED_IN),
    ("Certificate", "id slot meter owner zone source minted retired block", _SIGNED_IN),
    ("Meter", "id zone retailer holder importPower exportPower source fromSlot", _SIGNED_IN),
    ("Meter", "lastReading health", _SIGNED_IN),
    ("Reading", "meter slot version import export importRegister exportRegister", _SIGNED_IN),
    ("Reading", "quality resolution block", _SIGNED_IN),
    ("MeterHealth", "state sentence at", _SIGNED_IN),
    ("OracleNode", "did state sentence lastSlot at", _ORACLE),
    ("Client", "did retailer locked meters balance", _CLIENTS),
    ("OfferProposal", "slot quantity certified basis", _PROPOSED),
    ("Challenge", "nonce audience expires", _ANYBODY),
    ("Session", "accessToken refreshToken expires role did", _ANYBODY),
    ("TokenResult", "code sentence orders transaction block", _TRADERS),
    ("Enrolment", "meter zone retailer deposit fromSlot", _HOUSEHOLDS),
    ("SlotConnection", "edges nodes pageInfo totalCount", _ANYBODY),
    ("SlotEdge", "cursor node", _ANYBODY),
    ("PageInfo", "hasNextPage endCursor", _ANYBODY),
    ("OrderConnection", "edges nodes pageInfo totalCount", _SIGNED_IN),
    ("OrderEdge", "cursor node", _SIGNED_IN),
    ("TradeConnection", "edges nodes pageInfo totalCount", _SIGNED_IN),
    ("TradeEdge", "cursor node", _SIGNED_IN),
    ("PostingConnection", "edges nodes pageInfo totalCount", _SIGNED_IN),
    ("PostingEdge", "cursor node", _SIGNED_IN),
    ("CertificateConnection", "edges nodes pageInfo totalCount", _SIGNED_IN),
    ("CertificateEdge", "cursor node", _SIGNED_IN),
    ("MeterConnection", "edges nodes pageInfo totalCount", _SIGNED_IN),
    ("MeterEdge", "cursor node", _SIGNED_IN),
    ("ClientConnection", "edges nodes pageInfo totalCount", _CLIENTS),
    ("ClientEdge", "cursor node", _CLIENTS),
)

FIELDS: Mapping[str, frozenset[Reader]] = {
    f"{type_name}.{field}": readers
    for type_name, fields, readers in _ROWS
    for field in fields.split()
}
"""`Type.field` -> who may select it."""

_ALLOWED: Mapping[Reader, frozenset[str]] = {
    reader: frozenset(field for field, readers in FIELDS.items() if reader in readers)
    for reader in READERS
}

# Whose rows of a subject a role is shown. "clients" and "area" include the viewer's own.
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
    """The reader that the table knows somebody as; `shows_book`: strangers may read the book."""
    if viewer is not None:
        return viewer.role
    return "ONLOOKER" if shows_book else "STRANGER"


def is_signed_in(reader: Reader) -> bool:
    """Whether `reader` stands for somebody who has signed in."""
    return reader in _SIGNED_IN


def is_allowed(reader: Reader, field: str) -> bool:
    """Whether `reader` may select `Type.field`; False for a field without a row."""
    return field in _ALLOWED[reader]


def check_fields(reader: Reader, fields: Iterable[str]) -> None:
    """Raise `UNAUTHENTICATED` or `FORBIDDEN` unless `reader` may select each `Type.field`."""
    refused = frozenset(fields) - _ALLOWED[reader]
    if not refused:
        return
    what = min(refused)  # the same one each time, whatever the order of the document
    if not is_signed_in(reader):
        raise UNAUTHENTICATED(what=what)
    raise FORBIDDEN(what=what, role=reader)


def scope(viewer: Viewer, subject: Subject) -> Scope:
    """Whose rows of `subject` the viewer is shown."""
    return _SCOPES[viewer.role][subject]


def may_see_row(
    viewer: Viewer,
    subject: Subject,
    *,
    owners: Iterable[str],
    retailers: Iterable[str] = (),
    area: str,
) -> bool:
    """Whether a row is the viewer's to see.

    `owners`: the DIDs, or the member for a member's account, that the row belongs to (both sides
    of a trade); `retailers`: the retailers of those.
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
