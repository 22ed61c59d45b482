"""Signed documents on their way in: what one room checks for everybody."""

from __future__ import annotations

from typing import Literal

import msgspec
import pytest

from chaincode.context import Caller, Context
from chaincode.documents.document import TOKEN_BYTES_MAX, Document, is_expired, misdirected
from chaincode.documents.health import FINDINGS_MAX, HEALTH, HEALTH_BYTES_MAX, Finding, HealthWord
from chaincode.documents.intake import (
    BATCH_ARGUMENTS_MAX,
    BATCH_STEPS_MAX,
    take_batch,
    take_cosigned,
)
from chaincode.errors import Refused
from identity.canonical import encode
from identity.jws import TokenRefused, sign_compact
from tests.chaincode.dict_engine import DictView
from tests.chaincode.town import key_of
from tests.house.tree import in_packages, python_sources

TYP = "commonwatt-note+jws"


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A document of this test; its steps are what it says they are."""

    channel: str
    contract: str
    steps: int
    v: Literal[1] = 1


NOTES = Document(TYP, Note, steps_of=lambda note: note.steps)
HERE = Note("testing", "commonwatt", 1)


def signed(note: msgspec.Struct, *, typ: str = TYP, who: str = "anna") -> str:
    """A token over a note."""
    return sign_compact(key_of(who), typ, encode(note))


def arriving() -> Context:
    """A transaction of the contract that the notes are for."""
    return Context(
        DictView(),
        channel=HERE.channel,
        contract=HERE.contract,
        caller=Caller("Dso", "client", ""),
        transaction="",
        time_s=0,
        transient={},
        arguments_bytes=0,
        writes=True,
    )


def altered(token: str) -> str:
    """The token with the signature of another document."""
    other = signed(msgspec.structs.replace(HERE, steps=2))
    return ".".join((*token.split(".")[:2], other.split(".")[2]))


def test_the_first_fault_of_each_token_is_named_and_stops_no_other() -> None:
    elsewhere = msgspec.structs.replace(HERE, channel="elsewhere", contract="other")
    tokens = [
        "x" * (TOKEN_BYTES_MAX + 1),
        signed(HERE, typ="commonwatt-act+jws"),
        signed(elsewhere),
        signed(msgspec.structs.replace(HERE, contract="other")),
        altered(signed(HERE)),
        signed(HERE),
    ]

    taken = take_batch(arriving(), NOTES, tokens)

    assert [found.code if isinstance(found, Refused) else "TAKEN" for found in taken] == [
        "SHEET_UNREADABLE",
        "SHEET_UNREADABLE",
        "CHANNEL_WRONG",
        "CONTRACT_WRONG",
        "SIGNATURE_INVALID",
        "TAKEN",
    ]


def codes(tokens: list[str]) -> list[str]:
    """What each token of a batch is answered with."""
    taken = take_batch(arriving(), NOTES, tokens)
    return [found.code if isinstance(found, Refused) else "TAKEN" for found in taken]


def test_what_is_sent_is_bounded_as_a_whole() -> None:
    with pytest.raises(Refused, match="BATCH_BYTES"):
        take_batch(arriving(), NOTES, ["x" * (BATCH_ARGUMENTS_MAX + 1)])
    large = ["x" * (BATCH_ARGUMENTS_MAX - len(signed(HERE))), signed(HERE)]
    assert codes(large) == ["SHEET_UNREADABLE", "TAKEN"]


def test_a_batch_takes_the_tokens_that_fit_and_no_other_behind_them() -> None:
    most = signed(msgspec.structs.replace(HERE, steps=BATCH_STEPS_MAX))
    over = signed(msgspec.structs.replace(HERE, steps=BATCH_STEPS_MAX + 1))
    one = signed(HERE)
    none = signed(msgspec.structs.replace(HERE, steps=0))

    assert codes([over, one]) == ["STEPS_TOO_MANY", "TAKEN"]
    assert codes([most, none, one, none]) == ["TAKEN", "TAKEN", "BATCH_FULL", "BATCH_FULL"]
    assert codes([none] * 501) == [*["TAKEN"] * 500, "BATCH_FULL"]
    words = ["x" * TOKEN_BYTES_MAX] * 130
    assert codes(words) == [*["SHEET_UNREADABLE"] * 128, "BATCH_FULL", "BATCH_FULL"]


def test_where_a_batch_is_cut_depends_on_its_tokens_alone() -> None:
    """A token that is forged takes the same room, so the verification changes no cut."""
    most = signed(msgspec.structs.replace(HERE, steps=BATCH_STEPS_MAX))
    one = signed(HERE)

    assert codes([most, one]) == ["TAKEN", "BATCH_FULL"]
    assert codes([altered(most), one]) == ["SIGNATURE_INVALID", "BATCH_FULL"]


def test_what_several_sign_is_one_and_the_same_document() -> None:
    signers = ("anna", "ben")
    tokens = [signed(HERE, who=who) for who in signers]

    payload, dids = take_cosigned(arriving(), NOTES, tokens)

    assert payload == HERE
    assert len(set(dids)) == len(signers)
    other = signed(msgspec.structs.replace(HERE, steps=5), who="ben")
    with pytest.raises(Refused, match="REPORTS_DIFFER"):
        take_cosigned(arriving(), NOTES, [tokens[0], other])
    with pytest.raises(Refused, match="SIGNATURE_INVALID"):
        take_cosigned(arriving(), NOTES, [tokens[0], altered(tokens[1])])


def test_a_caller_without_a_contract_opens_one_document_and_verifies_it() -> None:
    opened = NOTES.open(signed(HERE))

    assert opened.holds()
    assert misdirected(opened.payload, HERE) is None
    assert not NOTES.open(altered(signed(HERE))).holds()


def test_the_largest_word_on_health_is_taken_and_a_larger_one_is_not() -> None:
    finding = Finding(2**53 - 1, "\x00" * 240, "a" * 32, "m" * 128)
    word = HealthWord("a" * 64, "c" * 64, "c" * 64, [finding] * FINDINGS_MAX, 0, 1)

    assert HEALTH.open(signed(word, typ=HEALTH.typ)).payload == word
    with pytest.raises(TokenRefused, match="TOKEN_SIZE"):
        HEALTH.open("x" * (HEALTH_BYTES_MAX + 1))


@pytest.mark.parametrize(
    ("expires_s", "expired"), [(None, False), (9, True), (10, True), (11, False)]
)
def test_what_expires_holds_until_the_second_before(expires_s: int | None, expired: bool) -> None:  # noqa: FBT001 a parameter of the test
    assert is_expired(expires_s, at_s=10) is expired


def test_no_other_room_takes_tokens_apart() -> None:
    """A second intake would forget a check; a login is no document of the contract."""
    readers = {
        source.path
        for source in python_sources()
        if in_packages(source.path)
        and ("parse_compact(" in source.text or "verify_compact(" in source.text)
    }

    assert readers == {
        "identity/jws.py",
        "chaincode/documents/document.py",
        "api/sign_in/session.py",
    }
