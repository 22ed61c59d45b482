"""Reads the JSON of a book strictly.

A repeated member, an unknown member, a number that is not an integer, and a text with half a
character are refused; the refusal names the field. Integers beyond 2^53 - 1 must be strings of
decimal digits, and smaller ones must not be, because many JSON readers store numbers as doubles.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import NamedTuple, TypeVar, cast

from identity.canonical import INTEGER_MAX

DIGITS_MAX = 80  # digits of an integer; int64 has 19, and converting thousands takes quadratic time
SHOWN_MAX = 60  # characters of a value that is repeated in a sentence

_DECIMAL = re.compile(rf"-?[1-9][0-9]{{15,{DIGITS_MAX - 1}}}")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_Word = TypeVar("_Word", bound=str)


class AuctionInputError(Exception):
    """The book is refused: `field` says where, `sentence` says what is wrong there."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(f"{field}: {sentence}")
        self.field = field
        self.sentence = sentence


class _Number(NamedTuple):
    """A JSON number that is not an integer or has too many digits, as it was written."""

    text: str


class _Repeated(NamedTuple):
    """A JSON object that has a member twice."""

    member: str


def read_document(text: bytes) -> object:
    """Return the JSON value.

    Numbers that are not integers, and repeated members, are kept as marks. The reader of the field
    refuses them, because it knows the name of the field.
    """
    try:
        return json.loads(
            text.decode(),
            object_pairs_hook=_members,
            parse_float=_Number,
            parse_int=_digits,
            parse_constant=_Number,
        )
    except UnicodeDecodeError as error:
        raise AuctionInputError("book", f"is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise AuctionInputError(
            "book", f"is not JSON at line {error.lineno} column {error.colno}: {error.msg}"
        ) from error
    except RecursionError as error:
        raise AuctionInputError("book", "is nested too deeply") from error


def _members(pairs: list[tuple[str, object]]) -> dict[str, object] | _Repeated:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    names = [name for name, _ in pairs]
    return _Repeated(next(name for name in names if names.count(name) > 1))


def _digits(text: str) -> int | _Number:
    return int(text) if len(text) <= DIGITS_MAX else _Number(text)


def read_object(
    value: object, field: str, *, required: Sequence[str], optional: Sequence[str]
) -> dict[str, object]:
    """Return an object with all required members and no others but the optional ones.

    Members of the whole document are fields by their bare names.
    """
    prefix = "" if field == "book" else f"{field}."
    if isinstance(value, _Repeated):
        raise AuctionInputError(f"{prefix}{_bare(value.member)}", "is there twice")
    if not isinstance(value, dict):
        raise AuctionInputError(field, f"is an object, not {shown(value)}")
    members = cast("dict[str, object]", value)
    for member in members:
        if member not in required and member not in optional:
            raise AuctionInputError(f"{prefix}{_bare(member)}", "is an unknown key")
    for member in required:
        if member not in members:
            raise AuctionInputError(f"{prefix}{member}", "is missing")
    return members


def read_list(value: object, field: str) -> list[object]:
    """Return a list of anything."""
    if type(value) is not list:
        raise AuctionInputError(field, f"is a list, not {shown(value)}")
    return cast("list[object]", value)


def read_pair(value: object, field: str, form: str) -> tuple[object, object]:
    """Return a list of two elements; `form` describes the list in the error."""
    items = read_list(value, field)
    if len(items) != 2:
        raise AuctionInputError(field, f"is {form}, not a list of {len(items)}")
    return items[0], items[1]


def read_text(value: object, field: str) -> str:
    """Return a text that is not empty and can be encoded as UTF-8."""
    if not isinstance(value, str) or not value:
        raise AuctionInputError(field, f"is a text that is not empty, not {shown(value)}")
    if not value.isascii() and _LONE_SURROGATE.search(value):
        raise AuctionInputError(field, f"{shown(value)} has half a character")
    return value


def read_word(value: object, field: str, words: tuple[_Word, ...]) -> _Word:
    """Return one of the words."""
    for word in words:
        if value == word:
            return word
    raise AuctionInputError(field, f"is one of {', '.join(words)}, not {shown(value)}")


def read_integer(value: object, field: str) -> int:
    """Return an integer, written as a string if beyond 2^53 - 1; true and false are refused."""
    if type(value) is int:
        if -INTEGER_MAX <= value <= INTEGER_MAX:
            return value
        raise AuctionInputError(field, f"{value} is beyond 2^53 - 1 and has to be a string")
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        number = int(value)
        if not -INTEGER_MAX <= number <= INTEGER_MAX:
            return number
    raise AuctionInputError(
        field,
        f"{shown(value)} is not an integer (beyond 2^53 - 1 a string of up to {DIGITS_MAX} digits)",
    )


def read_amount(value: object, field: str) -> int:
    """Return an integer that is not negative."""
    amount = read_integer(value, field)
    if amount < 0:
        raise AuctionInputError(field, f"{amount} is negative")
    return amount


def read_amount_or_none(value: object, field: str) -> int | None:
    """Return an integer that is not negative, or null."""
    return None if value is None else read_amount(value, field)


def shown(value: object) -> str:
    """Return a value for a sentence: one line of ASCII, cut short."""
    if isinstance(value, _Number):
        text = value.text
    elif isinstance(value, dict | _Repeated):
        return "an object"
    elif isinstance(value, list):
        return "a list"
    else:
        text = json.dumps(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}..."


def _bare(member: str) -> str:
    """Return a member's name in a field, without quotation marks."""
    return shown(member).strip('"')
