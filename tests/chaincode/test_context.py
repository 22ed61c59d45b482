"""The rules that `Context` puts on top of any engine: own writes seen, limits, pages, privacy."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from chaincode.context import (
    BYTES_MAX,
    KEY_BYTES_MAX,
    READS_MAX,
    WRITES_MAX,
    Caller,
    Context,
    PrivateKey,
)
from chaincode.errors import Broken, Refused
from tests.chaincode.dict_engine import CHANNEL, SortedView

ONE = b"1"
PLACE = "readings"


def context_on(
    rows: Mapping[str, bytes] | None = None,
    *,
    private: Mapping[str, bytes] | None = None,
    writes: bool = True,
    transient: Mapping[str, bytes] | None = None,
    arguments_bytes: int = 0,
) -> Context:
    """A transaction on a state that holds `rows`."""
    view = SortedView()
    view.rows.update(rows or {})
    view.private.update({PrivateKey(PLACE, key): value for key, value in (private or {}).items()})
    return Context(
        view,
        channel=CHANNEL,
        contract="commonwatt",
        caller=Caller("Dso", "client", ""),
        transaction="00",
        time_s=0,
        transient=transient or {},
        arguments_bytes=arguments_bytes,
        writes=writes,
    )


def refusal_of(act: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refused:
        act()
    return refused.value.code


def test_own_writes_are_seen_by_gets_and_ranges() -> None:
    context = context_on({"a": b"old", "b": b"gone", "d": b"stays"})
    context.put("a", b"new")
    context.delete("b")
    context.put("c", b"more")
    context.put("z", b"beyond")

    assert context.get("a") == b"new"
    assert context.get("b") is None
    assert context.get_many(["d", "a", "b", "a"]) == [b"stays", b"new", None, b"new"]
    assert list(context.range("a", "e")) == [("a", b"new"), ("c", b"more"), ("d", b"stays")]


def test_writes_made_while_iterating_are_not_seen_by_the_iteration() -> None:
    context = context_on({"a": ONE, "c": ONE})

    seen: list[str] = []
    for key, _ in context.range("a", "z"):
        seen.append(key)
        context.put(f"{key}+", ONE)

    assert seen == ["a", "c"]
    assert [key for key, _ in context.range("a", "z")] == ["a", "a+", "c", "c+"]


def test_effects_are_one_batch_with_what_happened_in_order() -> None:
    context = context_on({"a": ONE}, private={"p": ONE, "q": ONE})
    context.put("a", b"2")
    context.delete("b")
    collection = context.private(PLACE)
    collection.put("n", b"3")
    collection.delete("p")
    collection.purge("q")
    context.emit("first", b"1")
    context.emit("second", b"{}")

    effects = context.effects()

    assert effects.writes == {"a": b"2", "b": None}
    assert effects.private == {PrivateKey(PLACE, "n"): b"3", PrivateKey(PLACE, "p"): None}
    assert effects.purged == [PrivateKey(PLACE, "q")]
    assert [event.name for event in effects.events] == ["first", "second"]
    assert context.writes == 5


def test_private_values_see_own_writes_and_purges() -> None:
    context = context_on(private={"p": b"old", "q": b"kept"})
    collection = context.private(PLACE)
    collection.put("p", b"new")
    collection.put("n", b"more")

    assert collection.get_many(["q", "p", "n", "absent"]) == [b"kept", b"new", b"more", None]
    collection.purge("p")
    collection.delete("n")
    assert collection.get_many(["p", "n"]) == [None, None]
    collection.put("p", b"again")
    assert collection.get("p") == b"again"
    assert context.effects().purged == []


def test_hash_of_a_private_value_is_that_of_the_committed_one() -> None:
    context = context_on(private={"p": b"old"})
    collection = context.private(PLACE)
    before = collection.hash("p")
    collection.put("p", b"new")

    assert collection.hash("p") == before
    assert before is not None
    assert collection.hash("absent") is None


def test_private_range_is_refused() -> None:
    collection = context_on(private={"p": ONE}).private(PLACE)

    assert refusal_of(lambda: list(collection.range("a", "z"))) == "PRIVATE_RANGE"


def test_query_may_not_write() -> None:
    context = context_on(writes=False)

    for act in (
        lambda: context.put("a", ONE),
        lambda: context.delete("a"),
        lambda: context.private(PLACE).put("a", ONE),
        lambda: context.private(PLACE).delete("a"),
        lambda: context.private(PLACE).purge("a"),
    ):
        assert refusal_of(act) == "READ_ONLY"
    assert context.effects().writes == {}


def test_after_a_page_nothing_may_be_written_and_after_a_write_no_page_be_read() -> None:
    rows = dict.fromkeys("abc", ONE)
    reader, writer = context_on(rows), context_on(rows)

    page = reader.page("a", "z", rows_max=2)
    assert (page.rows, page.next_key) == ([("a", ONE), ("b", ONE)], "c")
    assert reader.page("c", "z", rows_max=2).next_key is None
    assert refusal_of(lambda: reader.put("d", ONE)) == "WRITE_AFTER_PAGE"
    writer.put("d", ONE)
    assert refusal_of(lambda: writer.page("a", "z", rows_max=2)) == "WRITE_AFTER_PAGE"


def test_as_many_keys_as_allowed_are_written_and_one_more_is_refused() -> None:
    context = context_on()
    for number in range(WRITES_MAX - 2):
        context.put(f"k{number}", ONE)
    context.private(PLACE).put("p", ONE)
    context.private(PLACE).purge("q")

    context.put("k0", b"the same key again")
    context.private(PLACE).purge("p")
    context.private(PLACE).put("q", ONE)
    assert context.writes == WRITES_MAX

    assert refusal_of(lambda: context.put("one more", ONE)) == "WRITES_TOO_MANY"
    assert refusal_of(lambda: context.private(PLACE).put("more", ONE)) == "WRITES_TOO_MANY"


def test_as_many_rows_as_allowed_are_read_and_one_more_is_refused() -> None:
    context = context_on({f"k{number:05d}": ONE for number in range(READS_MAX)})
    context.put("own", ONE)

    assert len(context.get_many([f"k{number:05d}" for number in range(READS_MAX - 10)])) > 0
    assert sum(1 for _ in context.range("k00000", "k00008")) == 8
    context.get("absent")
    context.private(PLACE).get("absent")
    context.get("own")  # what was written here is no read
    assert context.reads == READS_MAX

    assert refusal_of(lambda: context.get("k00000")) == "READS_TOO_MANY"
    assert refusal_of(lambda: list(context.range("k", "l"))) == "READS_TOO_MANY"
    assert refusal_of(lambda: context.private(PLACE).hash("p")) == "READS_TOO_MANY"


def test_bytes_of_arguments_transient_data_and_writes_count_together() -> None:
    left = 1_000
    context = context_on(
        arguments_bytes=BYTES_MAX // 2, transient={"x": bytes(BYTES_MAX - BYTES_MAX // 2 - left)}
    )

    context.put("key", bytes(left - 3))
    assert context.bytes_used == BYTES_MAX
    context.put("key", ONE)  # what is overwritten is not sent
    context.private(PLACE).put("p", bytes(left - 3 - 1 - 1))
    context.private(PLACE).put("p", bytes(left - 3 - 1 - 1))
    assert context.bytes_used == BYTES_MAX

    assert refusal_of(lambda: context.put("k", ONE)) == "BYTES_TOO_MANY"
    too_large = BYTES_MAX + 1
    assert refusal_of(lambda: context_on(arguments_bytes=too_large)) == "BYTES_TOO_MANY"


def test_what_is_written_over_counts_once() -> None:
    context = context_on()
    collection = context.private(PLACE)

    for _ in range(5):
        collection.put("p", bytes(BYTES_MAX // 2))
        collection.purge("p")
        collection.delete("p")
        context.put("key", bytes(BYTES_MAX // 2))
        context.delete("key")

    assert (context.writes, context.bytes_used) == (2, len("p") + len("key"))


def test_empty_values_and_impossible_keys_are_faults_of_ours() -> None:
    context = context_on()

    for act in (
        lambda: context.put("a", b""),
        lambda: context.private(PLACE).put("a", b""),
        lambda: context.put("", ONE),
        lambda: context.put("x" * (KEY_BYTES_MAX + 1), ONE),
    ):
        with pytest.raises(Broken):
            act()
    context.put("x" * KEY_BYTES_MAX, ONE)


def test_signatures_are_checked_by_the_engine() -> None:
    assert context_on().verify_many([]) == []
