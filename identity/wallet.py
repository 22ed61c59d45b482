"""A wallet: a file with private keys under one passphrase.

The file is JSON, `{"version":1,"keys":[{"did","label","pkcs8"}]}` with the newest key first. Each
`pkcs8` is a PEM as `identity.pkcs8` writes it, which OpenSSL can open too. DIDs and labels are not
encrypted: a person who has the file learns which DIDs belong together, but cannot sign for them.

`save` writes the whole file to a new file beside the wallet, with mode 0600, syncs the new file and
renames it to the wallet's name. A wallet that another program has changed or moved, or is changing
meanwhile, is not overwritten. Removing a key and changing a passphrase are not supported: create a
new wallet instead.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import unicodedata
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from identity.did import did_key, resolve_did_key
from identity.errors import (
    WALLET_CHANGED,
    WALLET_DAMAGED,
    WALLET_DID_TWICE,
    WALLET_DID_UNKNOWN,
    WALLET_EXISTS,
    WALLET_FULL,
    WALLET_LABEL,
    WALLET_LOCKED,
    WALLET_MISSING,
    WALLET_PASSPHRASE,
    IdentityError,
    KeyRefused,
)
from identity.keys import PrivateKey
from identity.pkcs8 import ROUNDS

PASSPHRASE_CHARACTERS_MIN = 8
PASSPHRASE_CHARACTERS_MAX = 200  # at most 800 bytes, below the 1,023 that the library takes
LABEL_CHARACTERS_MAX = 100
KEYS_MAX = 1_000  # a new key each month for 83 years
FILE_BYTES_MAX = 2_097_152  # 1,000 keys take about 1 MB


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    did: str
    label: str
    pkcs8: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    keys: list[_Entry]


class Listed(NamedTuple):
    """A key of the wallet as shown to the owner: its DID and the owner's label."""

    did: str
    label: str


class Wallet:
    """Private keys under a passphrase; the newest key is the current key.

    Use `create` or `open` to make a wallet. Keys other than the current key are opened when they
    are first used, because opening a key takes all rounds of the passphrase's derivation.
    """

    def __init__(
        self, path: Path, passphrase: bytes, entries: list[_Entry], written: bytes
    ) -> None:
        self.path = path
        self._passphrase = passphrase
        self._entries = entries
        self._written = written  # the file as last read or written here
        self._opened: dict[str, PrivateKey] = {}

    @classmethod
    def create(
        cls, path: Path, passphrase: str, key: PrivateKey, *, label: str = "", rounds: int = ROUNDS
    ) -> Wallet:
        """Create a wallet file with one new key; an existing file is refused."""
        wallet = cls(path, _passphrase_bytes(passphrase), [], b"")
        wallet.add(key, label=label, rounds=rounds)
        content = wallet._content()
        try:
            with _new_file(path, content) as temporary:
                os.link(temporary, path)  # unlike a rename, a link never replaces an existing file
        except FileExistsError:
            raise WALLET_EXISTS(path=path) from None
        wallet._written = content
        return wallet

    @classmethod
    def open(cls, path: Path, passphrase: str) -> Wallet:
        """Open a wallet file and its current key, so that a wrong passphrase is refused at once."""
        secret = _passphrase_bytes(passphrase)
        content = _read(path)
        wallet = cls(path, secret, _entries(path, content), content)
        _ = wallet.current
        return wallet

    @property
    def listed(self) -> tuple[Listed, ...]:
        """All keys, newest first."""
        return tuple(Listed(entry.did, entry.label) for entry in self._entries)

    @property
    def current(self) -> PrivateKey:
        """The newest key."""
        return self.key(self._entries[0].did)

    def key(self, did: str) -> PrivateKey:
        """The private key of one of the wallet's DIDs."""
        if did in self._opened:
            return self._opened[did]
        for entry in self._entries:
            if entry.did == did:
                self._opened[did] = self._open_entry(entry)
                return self._opened[did]
        raise WALLET_DID_UNKNOWN(path=self.path, did=did)

    def add(self, key: PrivateKey, *, label: str = "", rounds: int = ROUNDS) -> str:
        """Put a key before the others, so that it is the current key, and return its DID.

        Older keys stay, because orders signed with them are still settled. `save` writes the file.
        """
        did = did_key(key.public)
        if any(entry.did == did for entry in self._entries):
            raise WALLET_DID_TWICE(path=self.path, did=did)
        if len(label) > LABEL_CHARACTERS_MAX:
            raise WALLET_LABEL(count=len(label), limit=LABEL_CHARACTERS_MAX)
        if len(self._entries) >= KEYS_MAX:
            raise WALLET_FULL(path=self.path, limit=KEYS_MAX)
        pkcs8 = key.to_pkcs8(self._passphrase, rounds=rounds).decode("ascii")
        self._entries.insert(0, _Entry(did, label, pkcs8))
        self._opened[did] = key
        return did

    def save(self) -> None:
        """Write the file; a file that changed or moved since it was opened is not overwritten."""
        content = self._content()
        with _held(self.path, self._written), _new_file(self.path, content) as temporary:
            temporary.replace(self.path)
        self._written = content

    def __repr__(self) -> str:
        return f"<wallet {self.path} of {len(self._entries)} keys>"

    def _open_entry(self, entry: _Entry) -> PrivateKey:
        try:
            key = PrivateKey.from_pkcs8(entry.pkcs8.encode(), self._passphrase)
        except KeyRefused:
            raise WALLET_LOCKED(path=self.path, did=entry.did) from None
        if did_key(key.public) != entry.did:
            reason = f"the key listed for {entry.did} is the key of another DID"
            raise WALLET_DAMAGED(path=self.path, reason=reason)
        return key

    def _content(self) -> bytes:
        file = _File(version=1, keys=self._entries)
        return msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n"


def _passphrase_bytes(passphrase: str) -> bytes:
    # NFC is used because keyboards differ in how they compose an accented letter.
    normal = unicodedata.normalize("NFC", passphrase)
    if not PASSPHRASE_CHARACTERS_MIN <= len(normal) <= PASSPHRASE_CHARACTERS_MAX:
        raise WALLET_PASSPHRASE(
            count=len(normal), least=PASSPHRASE_CHARACTERS_MIN, most=PASSPHRASE_CHARACTERS_MAX
        )
    return normal.encode("utf-8", "surrogatepass")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise WALLET_MISSING(path=path) from None
    if len(content) > FILE_BYTES_MAX:
        raise WALLET_DAMAGED(path=path, reason=f"it has more than {FILE_BYTES_MAX} bytes")
    return content


def _entries(path: Path, content: bytes) -> list[_Entry]:
    try:
        entries = msgspec.json.decode(content, type=_File).keys
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise WALLET_DAMAGED(path=path, reason=f"it is no wallet file ({error})") from None
    if not 1 <= len(entries) <= KEYS_MAX:
        raise WALLET_DAMAGED(path=path, reason=f"it lists {len(entries)} keys")
    if len({entry.did for entry in entries}) != len(entries):
        raise WALLET_DAMAGED(path=path, reason="it lists a DID twice")
    for entry in entries:
        try:
            resolve_did_key(entry.did)
        except IdentityError as refused:
            raise WALLET_DAMAGED(path=path, reason=refused.sentence.rstrip(".")) from None
    return entries


@contextmanager
def _new_file(path: Path, content: bytes) -> Generator[Path]:
    """A synced file beside `path`, which the caller renames in the block; then syncs the folder."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _held(path: Path, written: bytes) -> Generator[None]:
    """Lock the wallet file against other writers, if its content is still `written`.

    The lock is on the file itself. If another writer has replaced the file since it was opened
    here, the wallet's name belongs to another file, and this writer is refused.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise WALLET_CHANGED(path=path) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WALLET_CHANGED(path=path) from None
        if _read(path) != written or not os.path.samestat(os.fstat(file.fileno()), path.stat()):
            raise WALLET_CHANGED(path=path)
        yield
