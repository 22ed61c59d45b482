"""Keys, salts and seed chains of a demonstration, all drawn from one seed.

Each draw is SHA-256 over the seed and a name: it is the same on every machine and Python, and an
additional draw changes no other draw. Use this for demonstrations and simulations only, because all
keys can be computed from the seed.
"""

from __future__ import annotations

from hashlib import sha256

from identity.keys import PrivateKey


class Draw:
    """A source of bytes and numbers by name."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed

    def bytes32(self, *names: object) -> bytes:
        """Return the 32 bytes of a name, which may have several parts."""
        digest = sha256(len(self._seed).to_bytes(4, "big") + self._seed)
        for name in names:
            part = str(name).encode()
            digest.update(len(part).to_bytes(4, "big") + part)
        return digest.digest()

    def number(self, size: int, *names: object) -> int:
        """Return a number from 0 to `size` - 1."""
        return int.from_bytes(self.bytes32(*names)[:8], "big") * size >> 64

    def between(self, low: int, high: int, *names: object) -> int:
        """Return a number from `low` to `high`, both included."""
        return low + self.number(high - low + 1, *names)

    def key(self, *names: object) -> PrivateKey:
        """Return an Ed25519 key."""
        return PrivateKey.from_seed(self.bytes32("key", *names))


class SeedChain:
    """A hash chain of tie seeds: a member posts `anchor` and reveals one pre-image per slot."""

    def __init__(self, draw: Draw, name: object, length: int) -> None:
        links = [draw.bytes32("seed chain", name)]
        for _ in range(length):
            links.append(sha256(links[-1]).digest())
        self._links = links
        self._places = {link: place for place, link in enumerate(links)}

    @property
    def anchor(self) -> str:
        """The end of the chain, in hex."""
        return self._links[-1].hex()

    def before(self, tip: str) -> str:
        """Return the pre-image of `tip`, in hex; raise `KeyError` if the chain is used up."""
        place = self._places[bytes.fromhex(tip)]
        if place == 0:
            raise KeyError(tip)
        return self._links[place - 1].hex()

    def left(self, tip: str) -> int:
        """Return how many pre-images remain behind `tip`; 0 if it is not of this chain."""
        return self._places.get(bytes.fromhex(tip), 0)
