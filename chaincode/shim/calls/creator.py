"""The signer of a proposal: member, certificate, and what the certificate says about its holder.

Peers check the signature and the certificate's chain before they call a contract; this module
checks neither again. Attributes are the ones that fabric-ca writes into the extension
1.2.3.4.5.6.7.8.1: a JSON object `{"attrs": {name: value}}`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from fabric_protos.msp import identities_pb2
from google.protobuf.message import DecodeError

from chaincode.shim.faults import ProposalUnreadable

CREATORS_CACHED_MAX = 1024  # reading a certificate takes longer than most transactions
ATTRIBUTES_OID = x509.ObjectIdentifier("1.2.3.4.5.6.7.8.1")


@dataclass(frozen=True)
class Creator:
    """The signer of a proposal."""

    msp_id: str  # the member, as the channel's configuration names it
    certificate: bytes  # X.509, DER
    units: tuple[str, ...]  # organisational units of the subject, in the certificate's order
    attributes: Mapping[str, str] = field(hash=False)  # as written by fabric-ca; may be empty


@lru_cache(maxsize=CREATORS_CACHED_MAX)
def read_creator(serialized: bytes) -> Creator:
    """Return the creator in a proposal's header; raises `ProposalUnreadable` if it is invalid."""
    try:
        identity = identities_pb2.SerializedIdentity.FromString(serialized)
        certificate = x509.load_pem_x509_certificate(identity.id_bytes)
        units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
        return Creator(
            msp_id=identity.mspid,
            certificate=certificate.public_bytes(Encoding.DER),
            units=tuple(str(unit.value) for unit in units),
            attributes=MappingProxyType(_attributes(certificate)),
        )
    except (DecodeError, ValueError) as fault:
        raise ProposalUnreadable(
            "the creator of the proposal has no readable certificate"
        ) from fault


def _attributes(certificate: x509.Certificate) -> dict[str, str]:
    try:
        extension = certificate.extensions.get_extension_for_oid(ATTRIBUTES_OID).value
    except x509.ExtensionNotFound:
        return {}
    if not isinstance(extension, x509.UnrecognizedExtension):
        raise ProposalUnreadable("the certificate's attributes are an extension of another kind")
    document = cast("object", json.loads(extension.value))
    attributes = cast("dict[str, object]", document).get("attrs") if _is_object(document) else None
    if not _is_object(attributes):
        raise ValueError("the attributes of a certificate are an object in the member attrs")
    named = cast("dict[str, object]", attributes)
    if not all(isinstance(value, str) for value in named.values()):
        raise ValueError("the attributes of a certificate are strings")
    return cast("dict[str, str]", named)


def _is_object(document: object) -> bool:
    return isinstance(document, dict)
