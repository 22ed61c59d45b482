"""Nonces for sign-in: each is for one DID and can be used once within two minutes.

A nonce consists of 128 random bits, the second at which it ends, and a MAC over these, the DID and
the audience. Making a nonce stores nothing, so requests for nonces cannot fill the memory; only
used nonces are stored, each until it ends. `use` looks a nonce up and stores it without awaiting in
between, so if a nonce arrives twice at the same time, one request is refused. The key of the MAC
is new at each start, so nonces from before the start are invalid.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from binascii import Error, a2b_base64
from collections import OrderedDict
from collections.abc import Callable

from api.faults import Fault

RANDOM_BYTES = 16
END_BYTES = 8
MAC_BYTES = 16
NONCE_CHARACTERS = 56  # base64url of 40 bytes, with the padding that is left out
USED_MAX = 65_536  # enough for 500 valid sign-ins a second; 10 MB

NONCE_UNKNOWN = Fault(
    "NONCE_UNKNOWN", "The nonce was not given to this DID here; ask for a challenge."
)
NONCE_EXPIRED = Fault("NONCE_EXPIRED", "The nonce ended {count} s ago; ask for a new challenge.")
NONCE_USED = Fault("NONCE_USED", "The nonce was used before; ask for a new challenge.")
SIGN_INS_TOO_MANY = Fault(
    "SIGN_INS_TOO_MANY", "{limit} sign-ins are being remembered; try again in two minutes."
)


class Nonces:
    """Makes nonces and accepts each once; `now_s` returns the time in seconds UTC."""

    def __init__(
        self, now_s: Callable[[], float], *, life_s: int, used_max: int = USED_MAX
    ) -> None:
        self._now_s = now_s
        self._life_s = life_s
        self._used_max = used_max
        self._key = secrets.token_bytes(32)
        self._used: OrderedDict[str, int] = OrderedDict()  # the end of each nonce, in order of use

    def __len__(self) -> int:
        """Return the number of used nonces that are stored."""
        return len(self._used)

    def make(self, did: str, audience: str) -> tuple[str, int]:
        """Return a nonce for `did` and the second (UTC) at which it ends."""
        end_s = int(self._now_s()) + self._life_s
        head = secrets.token_bytes(RANDOM_BYTES) + end_s.to_bytes(END_BYTES, "big")
        content = head + self._mac(head, did, audience)
        return urlsafe_b64encode(content).rstrip(b"=").decode("ascii"), end_s

    def use(self, nonce: str, did: str, audience: str) -> None:
        """Accept the nonce and mark it as used.

        Raises `NONCE_UNKNOWN`, `NONCE_EXPIRED`, `NONCE_USED` or `SIGN_INS_TOO_MANY`.
        """
        head, mac = _parts(nonce)
        if not hmac.compare_digest(mac, self._mac(head, did, audience)):
            raise NONCE_UNKNOWN()
        end_s = int.from_bytes(head[RANDOM_BYTES:], "big")
        now_s = int(self._now_s())
        if now_s >= end_s:
            raise NONCE_EXPIRED(count=now_s - end_s)
        if nonce in self._used:
            raise NONCE_USED()
        self._forget(now_s)
        if len(self._used) >= self._used_max:
            raise SIGN_INS_TOO_MANY(limit=self._used_max)
        self._used[nonce] = end_s

    def _forget(self, now_s: int) -> None:
        """Drop used nonces that have ended, in the order of use.

        A nonce that ends late keeps later ones in the memory, for at most one lifetime.
        """
        while self._used:
            nonce, end_s = next(iter(self._used.items()))
            if end_s > now_s:
                return
            del self._used[nonce]

    def _mac(self, head: bytes, did: str, audience: str) -> bytes:
        said = b"\0".join((head, did.encode(), audience.encode()))
        return hmac.digest(self._key, said, "sha256")[:MAC_BYTES]


def _parts(nonce: str) -> tuple[bytes, bytes]:
    """Return the authenticated part and the MAC; refuse other spellings of the same bytes."""
    try:
        text = nonce.encode("ascii")
        if len(text) != NONCE_CHARACTERS - 2:
            raise NONCE_UNKNOWN()
        content = a2b_base64(
            text.translate(bytes.maketrans(b"-_+/", b"+/!!")) + b"==", strict_mode=True
        )
    except (UnicodeEncodeError, Error):
        raise NONCE_UNKNOWN() from None
    if urlsafe_b64encode(content).rstrip(b"=") != text:
        raise NONCE_UNKNOWN()
    return content[: RANDOM_BYTES + END_BYTES], content[RANDOM_BYTES + END_BYTES :]
