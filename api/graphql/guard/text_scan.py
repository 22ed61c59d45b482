"""The guard's first step: checks the text of a GraphQL document before it is parsed.

The scan passes once over at most 16 KB, with one regular expression that does not backtrack, and
stops at the largest number of tokens that may be parsed. The parser takes ten to twenty
microseconds a token, so its input has to be small; it recurses, so brackets are counted here.
"""

from __future__ import annotations

import re
from itertools import islice

from api.faults import Fault

DOCUMENT_BYTES_MAX = 16_384  # the dashboard's largest document has 2 KB; sheets are variables
TOKENS_MAX = 600  # the standard introspection has 260, the largest page of the dashboard 300
COMMENTS_MAX = 50
BRACES_MAX = 18  # the standard introspection nests 15
BRACKETS_MAX = 8  # in arguments and lists; no argument of this schema nests
NAME_CHARACTERS_MAX = 64
NUMBER_CHARACTERS_MAX = 20  # 64 bits and a sign

DOCUMENT_TOO_LONG = Fault(
    "DOCUMENT_TOO_LONG", "The document has {count} bytes; at most {limit} are read."
)
DOCUMENT_TOO_MANY_TOKENS = Fault(
    "DOCUMENT_TOO_MANY_TOKENS", "The document has more than {limit} tokens."
)
DOCUMENT_TOO_MANY_COMMENTS = Fault(
    "DOCUMENT_TOO_MANY_COMMENTS", "The document has more than {limit} comments."
)
DOCUMENT_TOO_DEEP = Fault("DOCUMENT_TOO_DEEP", "The document nests deeper than {limit}.")
DOCUMENT_WORD = Fault("DOCUMENT_WORD", "A name or number has more than {limit} characters.")
DOCUMENT_SYNTAX = Fault("DOCUMENT_SYNTAX", "The document is not GraphQL: {reason}.")

_TOKEN = re.compile(
    r"""
      (?P<skip>[\s,\ufeff]++)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*+)
    | (?P<mark>[!$&|:=@(){}\[\]]|\.\.\.)
    | (?P<text>\"\"\"(?:[^"\\]|\\(?:\"\"\")?|"(?!""))*+\"\"\"|"(?!"")(?:[^"\\\r\n]|\\[^\r\n])*+")
    | (?P<number>-?[0-9][0-9.eE+-]*+)
    | (?P<comment>\#[^\r\n]*+)
    | (?P<stray>.)
    """,
    re.VERBOSE | re.DOTALL,
)


def scan(text: str) -> None:
    """Raise a fault (`DOCUMENT_…`) for a text that is too large to parse or is not a document."""
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    if size > DOCUMENT_BYTES_MAX:
        raise DOCUMENT_TOO_LONG(count=size, limit=DOCUMENT_BYTES_MAX)
    tokens = comments = braces = brackets = 0
    for match in islice(_TOKEN.finditer(text), 2 * (TOKENS_MAX + COMMENTS_MAX) + 2):
        kind = match.lastgroup
        if kind == "skip":
            continue
        if kind == "comment":
            comments += 1
            if comments > COMMENTS_MAX:
                raise DOCUMENT_TOO_MANY_COMMENTS(limit=COMMENTS_MAX)
            continue
        tokens += 1
        if tokens > TOKENS_MAX:
            raise DOCUMENT_TOO_MANY_TOKENS(limit=TOKENS_MAX)
        if kind == "mark":
            braces, brackets = _nested(match[0], braces, brackets)
        elif kind == "name":
            _check_length(match, NAME_CHARACTERS_MAX)
        elif kind == "number":
            _check_length(match, NUMBER_CHARACTERS_MAX)
        elif kind == "stray":
            raise DOCUMENT_SYNTAX(reason=f"a stray character at {match.start()}")
    if tokens == 0:
        raise DOCUMENT_SYNTAX(reason="it is empty")


def _nested(mark: str, braces: int, brackets: int) -> tuple[int, int]:
    """Return how deep braces, and round or square brackets, are nested after a mark."""
    if mark == "{":
        braces += 1
        if braces > BRACES_MAX:
            raise DOCUMENT_TOO_DEEP(limit=BRACES_MAX)
    elif mark == "}":
        braces -= 1
    elif mark in "([":
        brackets += 1
        if brackets > BRACKETS_MAX:
            raise DOCUMENT_TOO_DEEP(limit=BRACKETS_MAX)
    elif mark in ")]":
        brackets -= 1
    return braces, brackets


def _check_length(match: re.Match[str], limit: int) -> None:
    if match.end() - match.start() > limit:
        raise DOCUMENT_WORD(limit=limit)
