"""Composite keys: one to one with their parts, and ranges that hold all of a kind and no other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.shim.calls.composite import (
    check_key,
    check_keys,
    composite_key,
    composite_range,
    simple_range,
    split_composite_key,
)

words = st.text(st.characters(exclude_characters="\x00\U0010ffff", exclude_categories=["Cs"]))
kinds = words.filter(bool)
parts = st.lists(words, max_size=4).map(tuple)


def test_form_is_that_of_other_shims() -> None:
    assert composite_key("tree", ("north", "oak")) == "\x00tree\x00north\x00oak\x00"
    assert composite_key("tree", ()) == "\x00tree\x00"


@given(kinds, parts)
def test_splitting_undoes_composing(kind: str, row: tuple[str, ...]) -> None:
    key = composite_key(kind, row)

    assert split_composite_key(key) == (kind, row)
    check_key(key)


@given(kinds, parts, kinds, parts)
def test_range_holds_a_key_exactly_if_its_first_parts_are_those(
    kind: str, prefix: tuple[str, ...], other_kind: str, row: tuple[str, ...]
) -> None:
    start, end = (bound.encode() for bound in composite_range(kind, prefix))

    for of_kind in (kind, other_kind):
        for of_row in (row, prefix + row):
            key = composite_key(of_kind, of_row).encode()
            inside = of_kind == kind and of_row[: len(prefix)] == prefix
            assert (start <= key < end) == inside


@given(kinds, parts, words.filter(bool))
def test_no_simple_key_lies_among_composite_ones(kind: str, row: tuple[str, ...], key: str) -> None:
    composite = composite_key(kind, row)
    start, end = simple_range("", "")

    assert composite < start <= key
    assert end == ""


@pytest.mark.parametrize(
    ("kind", "row"), [("", ()), ("a\x00", ()), ("a", ("\x00",)), ("a", ("\U0010ffff",))]
)
def test_parts_that_would_make_keys_ambiguous_are_refused(kind: str, row: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="composite key"):
        composite_key(kind, row)


def test_one_string_is_not_taken_for_its_characters() -> None:
    with pytest.raises(TypeError, match="not one string"):
        composite_key("tree", "oak")


@pytest.mark.parametrize(
    "key", ["", "a", "\x00", "\x00\x00", "\x00\x00a\x00", "\x00a", "\x00a\x00b"]
)
def test_other_keys_are_not_split(key: str) -> None:
    with pytest.raises(ValueError, match="not a composite key"):
        split_composite_key(key)


@given(st.lists(st.one_of(words, st.just(""), st.just("\x00a\x00"), st.just("\x00a"))))
def test_many_keys_are_refused_exactly_if_one_of_them_is(keys: list[str]) -> None:
    def refused(key: str) -> bool:
        try:
            check_key(key)
        except ValueError:
            return True
        return False

    if any(refused(key) for key in keys):
        with pytest.raises(ValueError, match="key"):
            check_keys(keys)
    else:
        check_keys(keys)
