r"""Keys: checks of keys, and composite keys in Fabric's form.

A composite key is U+0000, its kind, U+0000, and each part followed by U+0000. So all keys of a
kind, or of a kind and its first parts, are one range. Simple keys never begin with U+0000. Other
shims write composite keys in the same way, and can read the keys that this module writes.
"""

from __future__ import annotations

from collections.abc import Sequence

SEPARATOR = "\x00"
LAST = "\U0010ffff"  # the largest code point; no part may contain it, so it sorts after every part
FIRST_SIMPLE = "\x01"  # an open start begins here, after all composite keys


def check_key(key: str) -> None:
    """Raise `ValueError` for a key that a read or write does not accept.

    An empty key is refused here because LevelDB peers would store it. U+0000 begins composite keys
    only, which `composite_key` makes and `split_composite_key` reads.
    """
    if not key:
        raise ValueError("a key has at least one character")
    if key[0] == SEPARATOR:
        split_composite_key(key)


def check_keys(keys: Sequence[str]) -> None:
    """Apply `check_key` to each key; much faster for many plain keys."""
    if keys and min(keys) < FIRST_SIMPLE:  # a key is empty or begins with U+0000
        for key in keys:
            check_key(key)


def composite_key(kind: str, parts: Sequence[str]) -> str:
    """The key of the row `parts` of the table `kind`.

    Raises `ValueError` for an empty kind, and for U+0000 or U+10FFFF in the kind or a part. Parts
    may be empty.
    """
    if not kind:
        raise ValueError("the kind of a composite key has at least one character")
    if isinstance(parts, str):
        raise TypeError("the parts of a composite key are a sequence of strings, not one string")
    words = (kind, *parts)
    for word in words:
        if SEPARATOR in word or LAST in word:
            raise ValueError("a composite key holds neither U+0000 nor U+10FFFF in its parts")
    return SEPARATOR + SEPARATOR.join(words) + SEPARATOR


def split_composite_key(key: str) -> tuple[str, tuple[str, ...]]:
    """Return kind and parts of a composite key; raises `ValueError` for any other key."""
    words = key.split(SEPARATOR)
    if len(words) < 3 or words[0] or words[-1] or not words[1] or LAST in key:
        raise ValueError(
            "this is not a composite key: U+0000, kind, U+0000, parts that end with U+0000"
        )
    return words[1], tuple(words[2:-1])


def simple_range(start: str, end: str) -> tuple[str, str]:
    """The bounds of a range over simple keys; an empty start or end is open.

    Raises `ValueError` for a bound that begins with U+0000; for composite keys there is
    `composite_range`.
    """
    for bound in (start, end):
        if bound.startswith(SEPARATOR):
            raise ValueError("the bound of a range of simple keys does not begin with U+0000")
    return start or FIRST_SIMPLE, end


def composite_range(kind: str, parts: Sequence[str]) -> tuple[str, str]:
    """The bounds of all composite keys of `kind` whose first parts are `parts`, possibly empty."""
    start = composite_key(kind, parts)
    return start, start + LAST
