"""The creator of a proposal: read from a certificate, with fabric-ca's attributes."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from chaincode.shim import ProposalUnreadable
from chaincode.shim.calls.creator import read_creator
from tests.chaincode.shim.authority import Authority
from tests.chaincode.shim.proposals import serialized_identity

AUTHORITY = Authority("members")


def test_member_certificate_units_and_attributes_are_read() -> None:
    pair = AUTHORITY.issue(
        "user", units=("client", "north", "Überland"), attributes={"hf.Type": "client", "rôle": "ü"}
    )

    creator = read_creator(serialized_identity("NorthMSP", pair.certificate))

    der = x509.load_pem_x509_certificate(pair.certificate).public_bytes(Encoding.DER)
    assert creator.msp_id == "NorthMSP"
    assert creator.certificate == der
    assert creator.units == ("client", "north", "Überland")
    assert creator.attributes == {"hf.Type": "client", "rôle": "ü"}


def test_certificate_without_units_and_attributes_has_none() -> None:
    creator = read_creator(serialized_identity("M", AUTHORITY.issue("user").certificate))

    assert creator.units == ()
    assert creator.attributes == {}


def test_creator_cannot_be_changed_and_is_read_once() -> None:
    identity = serialized_identity("M", AUTHORITY.issue("user", attributes={}).certificate)
    creator = read_creator(identity)

    with pytest.raises(TypeError):
        creator.attributes["role"] = "admin"  # pyright: ignore[reportIndexIssue] -- the point
    assert read_creator(identity) is creator


@pytest.mark.parametrize(
    "extension",
    [b"", b"\xff", b"[]", b'"text"', b"{}", b'{"attrs": []}', b'{"attrs": {"a": 1}}', b"{" * 99],
)
def test_attributes_in_another_form_are_refused(extension: bytes) -> None:
    pair = AUTHORITY.issue("user", extension=extension)

    with pytest.raises(ProposalUnreadable):
        read_creator(serialized_identity("M", pair.certificate))


@pytest.mark.parametrize("identity", [b"", b"\xff", serialized_identity("M", b"no PEM")])
def test_identity_without_a_certificate_is_refused(identity: bytes) -> None:
    with pytest.raises(ProposalUnreadable, match="no readable certificate"):
        read_creator(identity)
