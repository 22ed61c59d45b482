"""Keys and the places of the third-party vectors."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from identity.keys import Algorithm, PrivateKey

SEED = bytes(range(32))

# No test here may fail for being slow on a busy machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def vectors() -> Path:
    return Path(__file__).parent / "vectors"


@pytest.fixture(scope="session")
def ed25519() -> PrivateKey:
    return PrivateKey.from_seed(SEED)


@pytest.fixture(scope="session")
def p256() -> PrivateKey:
    return PrivateKey.generate("P-256")


@pytest.fixture(scope="session", params=["Ed25519", "P-256"])
def key(request: pytest.FixtureRequest, ed25519: PrivateKey, p256: PrivateKey) -> PrivateKey:
    algorithm: Algorithm = request.param
    return {"Ed25519": ed25519, "P-256": p256}[algorithm]
