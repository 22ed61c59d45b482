"""Keys of the ledger and of its members, and the identities that sign with them.

Each member has two identities, admin and client. The first block holds their public keys. The
private keys lie in the data folder, unencrypted and readable by its owner only, because this ledger
is one trust domain. With a seed all keys are derived from it, so that a run can be repeated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chaincode.context import Caller, Role
from identity.errors import KeyRefused
from identity.keys import PrivateKey
from ledger_network.embedded.folder.data_folder import DataFolder
from ledger_network.embedded.folder.disk import Disk
from ledger_network.embedded.folder.faults import OtherLedger
from ledger_network.port import Invalid, Member

MEMBERS_MAX = 1_000
ROLES: tuple[Role, ...] = ("admin", "client")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Identity(msgspec.Struct, frozen=True, array_like=True):
    """A member's identity as the first block names it: `key` is the public Ed25519 key."""

    member: str
    role: Role
    key: bytes


class Signer(msgspec.Struct, frozen=True):
    """An identity with its private key, and the caller that the contract sees."""

    key: PrivateKey
    caller: Caller


def check_names(members: Sequence[str]) -> None:
    """Raise `ValueError` unless `members` is a list of different names fit for file names."""
    if not 1 <= len(members) <= MEMBERS_MAX or len(set(members)) != len(members):
        raise ValueError(f"a ledger has 1 to {MEMBERS_MAX} members with different names")
    for name in members:
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is not a name for a member: use up to 64 letters, digits, dots and dashes"
            )


def make_keys(
    folder: DataFolder, members: Sequence[str], *, seed: bytes | None, disk: Disk
) -> tuple[PrivateKey, list[Identity]]:
    """Make and store the ledger's key and its members' keys; existing keys are kept."""
    check_names(members)
    ledger = _kept_or_made(folder.ledger_key, "ledger", seed=seed, disk=disk)
    identities: list[Identity] = []
    for name in members:
        for role in ROLES:
            path = key_file(folder, name, role)
            key = _kept_or_made(path, f"member {name} {role}", seed=seed, disk=disk)
            identities.append(Identity(name, role, key.public.raw))
    return ledger, identities


def load_ledger_key(folder: DataFolder, public: bytes) -> PrivateKey:
    """The ledger's key, which must be the one that the first block names."""
    return _load(folder.ledger_key, public)


class Members:
    """The members of an open ledger, with the identities under which they submit."""

    def __init__(self, folder: DataFolder, identities: Sequence[Identity]) -> None:
        self.names = list(dict.fromkeys(identity.member for identity in identities))
        self._signers = {
            Member(name=identity.member, role=identity.role): _signer(folder, identity)
            for identity in identities
        }

    def signer(self, member: Member) -> Signer:
        """The identity of `member`; raises `Invalid` for a stranger."""
        found = self._signers.get(member)
        if found is None:
            raise Invalid(f"{member.name} ({member.role}) is not a member of this channel")
        return found


def key_file(folder: DataFolder, member: str, role: Role) -> Path:
    """Return where the private key of an identity lies."""
    return folder.members / f"{member}.{role}.key"


def _signer(folder: DataFolder, identity: Identity) -> Signer:
    key = _load(key_file(folder, identity.member, identity.role), identity.key)
    fingerprint = sha256(identity.key).hexdigest()
    return Signer(key, Caller(identity.member, identity.role, fingerprint))


def _kept_or_made(path: Path, purpose: str, *, seed: bytes | None, disk: Disk) -> PrivateKey:
    if path.exists():
        return _read(path)
    key = PrivateKey.generate() if seed is None else PrivateKey.from_seed(_derive(seed, purpose))
    disk.write_whole(path, key.to_pkcs8(), mode=0o600)
    return key


def _derive(seed: bytes, purpose: str) -> bytes:
    info = f"commonwatt embedded ledger, key of {purpose}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(seed)


def _load(path: Path, public: bytes) -> PrivateKey:
    key = _read(path)
    if key.public.raw != public:
        raise OtherLedger(f"{path} is not the key that the first block of the ledger names")
    return key


def _read(path: Path) -> PrivateKey:
    try:
        return PrivateKey.from_pkcs8(path.read_bytes())
    except FileNotFoundError:
        raise OtherLedger(f"{path} is missing; the ledger cannot sign without it") from None
    except KeyRefused as refused:
        raise OtherLedger(f"{path} is not readable as a key: {refused}") from None
