"""Canonical JSON: the samples of RFC 8785, and the two writers against each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.canonical import INTEGER_MAX, canonical_json, encode

SAMPLES = ("arrays", "french", "structures", "unicode", "weird")  # `values` is about floats
BMP = [chr(point) for point in range(0x10000) if not 0xD800 <= point <= 0xDFFF]
ASTRAL = [chr(point) for point in (0x10000, 0x1F602, 0x2F800, 0xE0001, 0x10FFFF)]

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]


def json_values(
    keys: st.SearchStrategy[str], integers: st.SearchStrategy[int]
) -> st.SearchStrategy[Json]:
    leaves = st.none() | st.booleans() | integers | st.text()
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=12,
    )


SMALL = st.integers(-INTEGER_MAX, INTEGER_MAX)
BELOW_E000 = st.text(st.characters(max_codepoint=0xD7FF), max_size=4)


@pytest.mark.parametrize("name", SAMPLES)
def test_published_samples_come_out_byte_for_byte(vectors: Path, name: str) -> None:
    text = (vectors / "jcs" / "input" / f"{name}.json").read_text("utf-8")
    value = json.loads(text.replace("56.0", "56"))  # the one float in these samples

    assert canonical_json(value) == (vectors / "jcs" / "output" / f"{name}.json").read_bytes()


@pytest.mark.parametrize("name", ["structures", "values"])
def test_published_samples_with_floats_are_refused(vectors: Path, name: str) -> None:
    value = json.loads((vectors / "jcs" / "input" / f"{name}.json").read_bytes())

    with pytest.raises(TypeError, match="float"):
        canonical_json(value)


def test_every_code_point_is_escaped_alike_by_both_writers() -> None:
    texts = [*BMP, *ASTRAL, *(f"a{character}b" for character in BMP)]

    assert canonical_json(texts) == encode(texts)


def test_keys_below_e000_are_sorted_alike_by_both_writers() -> None:
    members = {
        character: index for index, character in enumerate(reversed(BMP)) if character < "\ue000"
    }

    assert canonical_json(members) == encode(members)


def test_astral_keys_come_before_e000_by_utf16_and_after_by_the_fast_path() -> None:
    members = {"\ue000": 1, "\U00010000": 2}

    assert canonical_json(members) == '{"\U00010000":2,"\ue000":1}'.encode()
    assert encode(members) == '{"\ue000":1,"\U00010000":2}'.encode()


@given(json_values(BELOW_E000, SMALL))
def test_both_writers_agree_on_what_browsers_sign(value: Json) -> None:
    assert canonical_json(value) == encode(value)


@given(json_values(st.text(max_size=4), SMALL))
def test_canonical_json_reads_back_as_the_same_value(value: Json) -> None:
    written = canonical_json(value)

    assert json.loads(written) == value
    assert canonical_json(json.loads(written)) == written


@pytest.mark.parametrize("value", [INTEGER_MAX, -INTEGER_MAX])
def test_the_largest_safe_integers_are_numbers(value: int) -> None:
    assert canonical_json(value) == encode(value) == str(value).encode()


@pytest.mark.parametrize("value", [INTEGER_MAX + 1, -INTEGER_MAX - 1, 10**30])
def test_larger_integers_are_strings_for_the_world_and_numbers_in_state(value: int) -> None:
    assert canonical_json(value) == f'"{value}"'.encode()
    assert encode(value) == str(value).encode()


class Inner(msgspec.Struct, frozen=True):
    zone: str
    area: str | None = None


class Outer(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", tag="outer"):
    wh_max: int
    inner: list[Inner]
    by_zone: dict[str, tuple[int, bool]]
    note: str = ""


class Row(msgspec.Struct, frozen=True, array_like=True):
    z: int
    a: Inner


class TaggedRow(msgspec.Struct, frozen=True, array_like=True, tag=True):
    z: int
    a: Inner


@pytest.mark.parametrize(
    "struct",
    [
        Inner("b"),
        Inner("b", "c"),
        Outer(5, [Inner("x"), Inner("y", "z")], {"b": (1, True), "a": (2, False)}),
        Outer(5, [], {}, "a note\n"),
        Row(1, Inner("b")),
        TaggedRow(1, Inner("b")),
    ],
)
def test_structs_are_written_alike_by_both_writers(struct: msgspec.Struct) -> None:
    assert canonical_json(struct) == encode(struct)


def test_renamed_tagged_struct_omits_its_defaults() -> None:
    struct = Outer(5, [Inner("x")], {})

    assert (
        encode(struct)
        == b'{"byZone":{},"inner":[{"area":null,"zone":"x"}],"type":"outer","whMax":5}'
    )


class Loose(msgspec.Struct):
    held: object


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [0.5, 1.0, float("nan"), b"bytes", {1, 2}, frozenset[int](), Text("x"), 1j, object()],
)
def test_types_without_a_canonical_form_are_refused_inside_structs_too(value: object) -> None:
    for whole in (value, [value], {"key": value}):
        with pytest.raises(TypeError):
            canonical_json(whole)
    if type(value) is not object and not isinstance(value, complex):
        with pytest.raises(TypeError):
            canonical_json(Loose(value))


@pytest.mark.parametrize("key", [1, None, True, ("a",), Text("x")])
def test_keys_that_are_no_strings_are_refused(key: object) -> None:
    with pytest.raises(TypeError, match="string keys"):
        canonical_json({key: 1})


@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
def test_lone_surrogates_are_refused_by_both_writers(text: str) -> None:
    for value in (text, [text], {text: 1}):
        with pytest.raises(UnicodeEncodeError):
            canonical_json(value)
        with pytest.raises(UnicodeEncodeError):
            encode(value)


def test_order_of_insertion_does_not_reach_the_bytes() -> None:
    sides: list[Literal["buy", "sell"]] = ["buy", "sell"]
    one = {side: {"b": 1, "a": 2} for side in sides}
    other = {side: {"a": 2, "b": 1} for side in reversed(sides)}

    assert encode(one) == encode(cast("object", other)) == canonical_json(other)
