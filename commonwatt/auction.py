"""`commonwatt auction`: a book in JSON in, its outcome in JSON out.

Reads strictly: a document that says something twice, something unknown, or a number that is no
integer is refused with the field named, before anything is cleared. Integers beyond 2^53 - 1 are
strings of decimal digits, in and out, and only these are; for many readers hold numbers as doubles.

What is checked here holds for every mechanism; the tree is checked whole, although only books of
one zone can be cleared until the mechanism for several is there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import NamedTuple, NoReturn, TypeVar, cast, get_args

import msgspec

from chaincode.auctions.book import (
    PRICE_BAND_DEFAULT,
    STEPS_MAX,
    AuctionRules,
    Book,
    Order,
    PriceRule,
    Side,
    Zone,
    ZoneState,
)
from chaincode.auctions.mechanisms import MECHANISMS
from chaincode.auctions.outcome import outcome_json
from chaincode.units import INT64_SAFE
from identity.canonical import INTEGER_MAX

ONE_ZONE = ("continuous", "uniform", "vickrey")
TREES = ("coupled", "pay_as_bid")
DIGITS_MAX = 80  # of an integer; more than any sum of a clearing has
SHOWN_MAX = 60  # characters of a value that a sentence repeats
SHOWN_MAX = 60  # characters of a value that a sentence repeats

_DECIMAL = re.compile(rf"-?[1-9][0-9]{{15,{DIGITS_MAX - 1}}}")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_EDGE_AMOUNTS = ("import_tariff", "export_tariff", "import_loss_ppm", "export_loss_ppm")
_EDGE = ("import_wh", "export_wh", *_EDGE_AMOUNTS)

_Word = TypeVar("_Word", bound=str)


class AuctionInputError(Exception):
    """A book that is refused: `field` says where, `sentence` what is wrong there."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(f"{field}: {sentence}")
        self.field = field
        self.sentence = sentence


def run_auction(text: bytes) -> bytes:
    """Clear the book in `text`; the answer is indented JSON in UTF-8, ending in a newline.

    Raises `AuctionInputError` for a book that is refused.
    """
    book = read_book(text)
    outcome = MECHANISMS[book.mechanism](book)
    return msgspec.json.format(msgspec.json.encode(outcome_json(outcome)), indent=2) + b"\n"


def read_book(text: bytes) -> Book:
    """A book from its JSON, checked against all that a mechanism relies on."""
    members = _object(
        _document(text),
        "book",
        required=("mechanism", "zones", "orders"),
        optional=("rules",),
    )
    mechanism = _word(members["mechanism"], "mechanism", (*TREES, *ONE_ZONE))
    rules = _rules(members.get("rules", {}))
    zones = _zones(_list(members["zones"], "zones"), rules)
    if mechanism in ONE_ZONE and len(zones) > 1:
        _refuse("zones", f"{mechanism} clears one zone, the book has {len(zones)}")
    orders = _orders(_list(members["orders"], "orders"), {zone.id for zone in zones}, rules)
    _check_bound(orders, rules)
    if mechanism not in MECHANISMS:
        _refuse("mechanism", f"{mechanism} is not available yet")
    if len(zones) > 1:
        _refuse("zones", f"{mechanism} of several zones is not available yet")
    return Book(mechanism=mechanism, rules=rules, zones=zones, orders=orders)


class _Inexact(NamedTuple):
    """A JSON number that is no integer, as it was written."""

    text: str


class _Repeated(NamedTuple):
    """A JSON object that has a member twice."""

    member: str


def _document(text: bytes) -> object:
    """The JSON value; what only its place can refuse by name is left in it as a mark."""
    try:
        return json.loads(
            text.decode(),
            object_pairs_hook=_members,
            parse_float=_Inexact,
            parse_int=_digits,
            parse_constant=_Inexact,
        )
    except UnicodeDecodeError as error:
        _refuse("book", f"is no UTF-8 at byte {error.start}")
    except json.JSONDecodeError as error:
        _refuse("book", f"is no JSON at line {error.lineno} column {error.colno}: {error.msg}")
    except RecursionError:
        _refuse("book", "is nested too deeply")


def _members(pairs: list[tuple[str, object]]) -> dict[str, object] | _Repeated:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    names = [name for name, _ in pairs]
    return _Repeated(next(name for name in names if names.count(name) > 1))


def _digits(text: str) -> int | _Inexact:
    return int(text) if len(text) <= DIGITS_MAX else _Inexact(text)


def _rules(value: object) -> AuctionRules:
    members = _object(
        value, "rules", required=(), optional=("price_rule", "price_band", "loss_price", "lots")
    )
    low, high = PRICE_BAND_DEFAULT
    if "price_band" in members:
        ends = _pair(members["price_band"], "rules.price_band", "[lowest, highest]")
        low, high = (_integer(end, f"rules.price_band[{i}]") for i, end in enumerate(ends))
        if low > high:
            _refuse("rules.price_band", f"is [lowest, highest], not [{low}, {high}]")
    lots = members.get("lots", False)
    if not isinstance(lots, bool):
        _refuse("rules.lots", f"is true or false, not {_shown(lots)}")
    return AuctionRules(
        price_rule=_word(
            members.get("price_rule", "midpoint"), "rules.price_rule", get_args(PriceRule)
        ),
        price_band=(low, high),
        loss_price=_amount_or_none(members.get("loss_price"), "rules.loss_price"),
        lots=lots,
    )


def _zones(values: Sequence[object], rules: AuctionRules) -> list[Zone]:
    zones: list[Zone] = []
    places: dict[str, int] = {}
    for index, value in enumerate(values):
        zone = _zone(value, f"zones[{index}]", rules)
        if zone.id in places:
            _refuse(f"zones[{index}].id", f"{_shown(zone.id)} is repeated")
        places[zone.id] = index
        zones.append(zone)
    _check_tree(zones, places)
    return zones


def _zone(value: object, field: str, rules: AuctionRules) -> Zone:
    members = _object(value, field, required=("id", "parent"), optional=(*_EDGE, "state"))
    name = _text(members["id"], f"{field}.id")
    state = _word(members.get("state", "open"), f"{field}.state", get_args(ZoneState))
    if members["parent"] is None:
        for member in _EDGE:
            if member in members:
                _refuse(f"{field}.{member}", "the root has no edge")
        if state != "open":
            _refuse(f"{field}.state", f"the root is open, not {state}")
        return Zone(name)
    capacities = {
        member: _amount_or_none(members.get(member), f"{field}.{member}")
        for member in ("import_wh", "export_wh")
    }
    amounts = {
        member: _amount(members.get(member, 0), f"{field}.{member}") for member in _EDGE_AMOUNTS
    }
    for member, amount in amounts.items():
        if member.endswith("_tariff") and amount > rules.price_band[1]:
            _refuse(
                f"{field}.{member}",
                f"{amount} is above the upper end {rules.price_band[1]} of the price band",
            )
        if member.endswith("_loss_ppm") and amount and rules.loss_price is None:
            _refuse(f"{field}.{member}", "a loss needs rules.loss_price")
    return Zone(
        name,
        _text(members["parent"], f"{field}.parent"),
        import_wh=capacities["import_wh"],
        export_wh=capacities["export_wh"],
        import_tariff=amounts["import_tariff"],
        export_tariff=amounts["export_tariff"],
        import_loss_ppm=amounts["import_loss_ppm"],
        export_loss_ppm=amounts["export_loss_ppm"],
        state=state,
    )


def _check_tree(zones: Sequence[Zone], places: dict[str, int]) -> None:
    """One root, and every other zone below it."""
    parents = {zone.id: zone.parent for zone in zones}
    roots = [zone.id for zone in zones if zone.parent is None]
    for zone in zones:
        if zone.parent is not None and zone.parent not in parents:
            field = f"zones[{places[zone.id]}].parent"
            _refuse(field, f"{_shown(zone.parent)} is an unknown zone")
    if len(roots) > 1:
        field = f"zones[{places[roots[1]]}].parent"
        _refuse(field, f"{_shown(roots[1])} is a second root beside {_shown(roots[0])}")
    rooted = dict.fromkeys(roots, True)
    for zone in zones:
        path: dict[str, bool] = {}
        here = zone.id
        while here not in rooted:
            if here in path:
                _refuse(f"zones[{places[here]}].parent", f"{_shown(here)} lies in a cycle")
            path[here] = True
            # Only a root has no parent, and roots were met above.
            here = cast("str", parents[here])
        rooted.update(path)
    if not roots:
        _refuse("zones", "there is no root")


def _orders(values: Sequence[object], zones: set[str], rules: AuctionRules) -> list[Order]:
    orders: list[Order] = []
    places: dict[str, int] = {}
    for index, value in enumerate(values):
        field = f"orders[{index}]"
        members = _object(
            value,
            field,
            required=("id", "zone", "side"),
            optional=("price", "quantity", "steps", "participant", "time"),
        )
        name = _text(members["id"], f"{field}.id")
        if name in places:
            _refuse(f"{field}.id", f"{_shown(name)} is repeated")
        places[name] = index
        zone = _text(members["zone"], f"{field}.zone")
        if zone not in zones:
            _refuse(f"{field}.zone", f"{_shown(zone)} is an unknown zone")
        side: Side = _word(members["side"], f"{field}.side", get_args(Side))
        participant = members.get("participant", "")
        if participant != "":
            participant = _text(participant, f"{field}.participant")
        time = _integer(members.get("time", 0), f"{field}.time")
        plain = "steps" not in members
        for step, (price, quantity_wh) in enumerate(_steps(members, field, rules), start=1):
            orders.append(
                Order(name, step, plain, zone, side, price, quantity_wh, time, participant)
            )
    for order in orders:
        if not order.plain and order.name in places:
            field = f"orders[{places[order.name]}].id"
            _refuse(field, f"{_shown(order.name)} is a step of {_shown(order.id)} already")
    return orders


def _steps(members: dict[str, object], field: str, rules: AuctionRules) -> list[tuple[int, int]]:
    """The limits and quantities of an order, from either way of giving them."""
    single = [member for member in ("price", "quantity") if member in members]
    if "steps" not in members:
        for member in ("price", "quantity"):
            if member not in single:
                _refuse(f"{field}.{member}", "is missing, and the order has no steps")
        step = members["price"], members["quantity"]
        return [_step(step, (f"{field}.price", f"{field}.quantity"), rules)]
    if single:
        _refuse(f"{field}.{single[0]}", "an order has price and quantity, or steps, not both")
    steps = _list(members["steps"], f"{field}.steps")
    if not 1 <= len(steps) <= STEPS_MAX:
        _refuse(f"{field}.steps", f"an order has 1 to {STEPS_MAX} steps, not {len(steps)}")
    read: list[tuple[int, int]] = []
    for index, step in enumerate(steps):
        here = f"{field}.steps[{index}]"
        read.append(
            _step(_pair(step, here, "[price, quantity]"), (f"{here}[0]", f"{here}[1]"), rules)
        )
    return read


def _step(
    step: tuple[object, object], fields: tuple[str, str], rules: AuctionRules
) -> tuple[int, int]:
    price, quantity_wh = (
        _integer(number, field) for number, field in zip(step, fields, strict=True)
    )
    low, high = rules.price_band
    if not low <= price <= high:
        _refuse(fields[0], f"{price} is out of the price band [{low}, {high}]")
    if quantity_wh < 1:
        _refuse(fields[1], f"is at least 1 Wh, not {quantity_wh}")
    return price, quantity_wh


def _check_bound(orders: Sequence[Order], rules: AuctionRules) -> None:
    total_wh = sum(order.quantity_wh for order in orders)
    low, high = rules.price_band
    width = max(high - low, 1)
    if total_wh * width >= INT64_SAFE:
        sentence = f"total quantity {total_wh} x width {width} of the price band is not below 2^62"
        _refuse("orders", sentence)


def _object(
    value: object, field: str, *, required: Sequence[str], optional: Sequence[str]
) -> dict[str, object]:
    prefix = "" if field == "book" else f"{field}."
    if isinstance(value, _Repeated):
        _refuse(f"{prefix}{_bare(value.member)}", "is there twice")
    if not isinstance(value, dict):
        _refuse(field, f"is an object, not {_shown(value)}")
    members = cast("dict[str, object]", value)
    for member in members:
        if member not in required and member not in optional:
            _refuse(f"{prefix}{_bare(member)}", "is an unknown key")
    for member in required:
        if member not in members:
            _refuse(f"{prefix}{member}", "is missing")
    return members


def _list(value: object, field: str) -> list[object]:
    if type(value) is not list:
        _refuse(field, f"is a list, not {_shown(value)}")
    return cast("list[object]", value)


def _pair(value: object, field: str, form: str) -> tuple[object, object]:
    items = _list(value, field)
    if len(items) != len(("first", "second")):
        _refuse(field, f"is {form}, not a list of {len(items)}")
    return items[0], items[1]


def _text(value: object, field: str) -> str:
    if not isinstance(value, str) or not value:
        _refuse(field, f"is a text that is not empty, not {_shown(value)}")
    if not value.isascii() and _LONE_SURROGATE.search(value):
        _refuse(field, f"{_shown(value)} has half a character")
    return value


def _word(value: object, field: str, words: tuple[_Word, ...]) -> _Word:
    for word in words:
        if value == word:
            return word
    _refuse(field, f"is one of {', '.join(words)}, not {_shown(value)}")


def _integer(value: object, field: str) -> int:
    if type(value) is int:
        if -INTEGER_MAX <= value <= INTEGER_MAX:
            return value
        _refuse(field, f"{value} is beyond 2^53 - 1 and has to be a string of digits")
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        number = int(value)
        if not -INTEGER_MAX <= number <= INTEGER_MAX:
            return number
    if isinstance(value, str):
        _refuse(field, f"{_shown(value)} is no integer; only beyond 2^53 - 1 are strings of digits")
    _refuse(field, f"{_shown(value)} is no integer")


def _amount(value: object, field: str) -> int:
    amount = _integer(value, field)
    if amount < 0:
        _refuse(field, f"{amount} is negative")
    return amount


def _amount_or_none(value: object, field: str) -> int | None:
    return None if value is None else _amount(value, field)


def _shown(value: object) -> str:
    """A value in a sentence: one line of ASCII, cut short."""
    if isinstance(value, _Inexact):
        text = value.text
    elif isinstance(value, dict | _Repeated):
        return "an object"
    elif isinstance(value, list):
        return "a list"
    else:
        text = json.dumps(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}..."


def _bare(member: str) -> str:
    """A member's name in a field, without quotation marks."""
    return _shown(member).strip('"')


def _refuse(field: str, sentence: str) -> NoReturn:
    raise AuctionInputError(field, sentence)
