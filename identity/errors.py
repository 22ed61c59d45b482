"""Every refusal of the package `identity`, with its code and its sentence.

Invalid input raises one of four exceptions, depending on what was refused: a key, a DID, a token or
a wallet file. All four are `IdentityError`s with a `code` for programs and a `sentence` for people,
and can be pickled. The code of a refusal that is no longer used stays reserved.

Within each block the rows are in the order in which they are checked: where there are two faults,
the refusal names the first.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar


class IdentityError(Exception):
    """Input that the package `identity` refuses."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(code, sentence)
        self.code = code
        self.sentence = sentence

    def __str__(self) -> str:
        return f"{self.code}: {self.sentence}"


class KeyRefused(IdentityError):
    """A public or private key is refused."""


class DidRefused(IdentityError):
    """A DID is not a did:key in canonical form."""


class TokenRefused(IdentityError):
    """A compact JWS is refused, before or after its signature is checked."""


class WalletRefused(IdentityError):
    """A wallet file, passphrase or entry is refused."""


E = TypeVar("E", bound=IdentityError)


class RefusalRow(NamedTuple, Generic[E]):
    """A row of the table; calling the row with values for its placeholders gives the exception."""

    kind: type[E]
    code: str
    sentence: str

    def __call__(self, **places: object) -> E:
        """The exception of this row, with `places` filled into its sentence."""
        return self.kind(self.code, self.sentence.format(**places))


# Keys
KEY_ALGORITHM = RefusalRow(
    KeyRefused,
    "KEY_ALGORITHM",
    "{algorithm!r} is not a known kind of key; Ed25519 and P-256 are.",
)
KEY_LENGTH = RefusalRow(
    KeyRefused, "KEY_LENGTH", "The {algorithm} key has {count} bytes; it must have {expected}."
)
KEY_ENCODING = RefusalRow(
    KeyRefused, "KEY_ENCODING", "The {algorithm} key {key} is not written in its canonical form."
)
KEY_OFF_CURVE = RefusalRow(
    KeyRefused, "KEY_OFF_CURVE", "The {algorithm} key {key} is not a point of the curve."
)
KEY_SMALL_ORDER = RefusalRow(
    KeyRefused,
    "KEY_SMALL_ORDER",
    "The {algorithm} key {key} is of small order: one signature would hold for many messages.",
)
KEY_ROUNDS = RefusalRow(
    KeyRefused,
    "KEY_ROUNDS",
    "{rounds} rounds of PBKDF2 are not accepted; {least} to {most} are.",
)
KEY_UNREADABLE = RefusalRow(
    KeyRefused,
    "KEY_UNREADABLE",
    "The private key cannot be read: it is damaged, or the passphrase is not the right one.",
)

# DIDs
DID_LENGTH = RefusalRow(
    DidRefused, "DID_LENGTH", "The DID has {count} characters; at most {limit} are accepted."
)
DID_METHOD = RefusalRow(
    DidRefused, "DID_METHOD", "{did!r} does not begin with did:key:z, the only form known here."
)
DID_BASE58 = RefusalRow(
    DidRefused, "DID_BASE58", "{did!r} has characters that base58 does not have."
)
DID_CODEC = RefusalRow(
    DidRefused,
    "DID_CODEC",
    "{did!r} holds a key of the kind 0x{kind}; Ed25519 (0xed01) and P-256 (0x8024) are accepted.",
)

# Tokens
TOKEN_SIZE = RefusalRow(
    TokenRefused, "TOKEN_SIZE", "The token has {count} bytes; at most {limit} are accepted."
)
TOKEN_SEGMENTS = RefusalRow(
    TokenRefused, "TOKEN_SEGMENTS", "The token has {count} parts between full stops instead of 3."
)
TOKEN_TYP_FORM = RefusalRow(
    TokenRefused,
    "TOKEN_TYP_FORM",
    "The typ {typ!r} is not 1 to 64 characters of a-z, 0-9, full stop, plus and hyphen.",
)
TOKEN_HEADER_SIZE = RefusalRow(
    TokenRefused,
    "TOKEN_HEADER_SIZE",
    "The header of the token has {count} characters; at most {limit} are accepted.",
)
TOKEN_BASE64 = RefusalRow(
    TokenRefused,
    "TOKEN_BASE64",
    "The {part} of the token is not base64url without padding in its canonical form.",
)
TOKEN_HEADER = RefusalRow(
    TokenRefused,
    "TOKEN_HEADER",
    "The header of the token is not a JSON object of the strings alg, kid and typ: {reason}.",
)
TOKEN_HEADER_NOT_CANONICAL = RefusalRow(
    TokenRefused,
    "TOKEN_HEADER_NOT_CANONICAL",
    "The header of the token is not canonical JSON: each member once, sorted, without white space.",
)
TOKEN_TYP = RefusalRow(
    TokenRefused, "TOKEN_TYP", "The typ of the token is {typ!r}, not {expected!r}."
)
TOKEN_KID = RefusalRow(
    TokenRefused, "TOKEN_KID", "The kid of the token is not a did:key and its fragment: {reason}"
)
TOKEN_ALG = RefusalRow(
    TokenRefused, "TOKEN_ALG", "The alg of the token is {alg!r}, which its {algorithm} key forbids."
)
TOKEN_SIGNATURE_LENGTH = RefusalRow(
    TokenRefused, "TOKEN_SIGNATURE_LENGTH", "The signature has {count} bytes instead of 64."
)
TOKEN_SIGNATURE_HIGH_S = RefusalRow(
    TokenRefused,
    "TOKEN_SIGNATURE_HIGH_S",
    "The P-256 signature has the larger of its two values of s; only the smaller is accepted.",
)
TOKEN_SIGNATURE = RefusalRow(
    TokenRefused, "TOKEN_SIGNATURE", "The signature of the token was not made by {did}."
)
TOKEN_PAYLOAD = RefusalRow(
    TokenRefused, "TOKEN_PAYLOAD", "The payload of the token cannot be read: {reason}."
)
TOKEN_PAYLOAD_NOT_CANONICAL = RefusalRow(
    TokenRefused,
    "TOKEN_PAYLOAD_NOT_CANONICAL",
    "The payload of the token is not canonical JSON: each member once, sorted, without white space "
    "and without members that say what their absence says.",
)

# Wallets
WALLET_PASSPHRASE = RefusalRow(
    WalletRefused,
    "WALLET_PASSPHRASE",
    "The passphrase has {count} characters; {least} to {most} are accepted.",
)
WALLET_EXISTS = RefusalRow(
    WalletRefused, "WALLET_EXISTS", "{path} exists already and is not overwritten."
)
WALLET_MISSING = RefusalRow(WalletRefused, "WALLET_MISSING", "There is no wallet at {path}.")
WALLET_DAMAGED = RefusalRow(
    WalletRefused, "WALLET_DAMAGED", "The wallet {path} is damaged: {reason}."
)
WALLET_LOCKED = RefusalRow(
    WalletRefused,
    "WALLET_LOCKED",
    "The key {did} in the wallet {path} does not open: "
    "the passphrase is not the right one, or the key is damaged.",
)
WALLET_DID_UNKNOWN = RefusalRow(
    WalletRefused, "WALLET_DID_UNKNOWN", "The wallet {path} has no key for {did!r}."
)
WALLET_DID_TWICE = RefusalRow(
    WalletRefused, "WALLET_DID_TWICE", "The wallet {path} has the key of {did} already."
)
WALLET_LABEL = RefusalRow(
    WalletRefused, "WALLET_LABEL", "The label has {count} characters; at most {limit} are accepted."
)
WALLET_FULL = RefusalRow(
    WalletRefused, "WALLET_FULL", "The wallet {path} has {limit} keys and accepts no more."
)
WALLET_CHANGED = RefusalRow(
    WalletRefused,
    "WALLET_CHANGED",
    "Somebody else has changed, moved or locked {path} since it was opened; open it again.",
)
