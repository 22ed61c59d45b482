"""The people whose wallets any visitor of a demonstration may use.

Their keys follow from the demonstration's seed, and every visitor gets them, so the keys do not
protect anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from api.services import AccountRole, Persona
from commonwatt.demonstration.cast import DSO, ORACLE, RETAILERS, Cast
from identity.did import did_key
from identity.keys import PrivateKey

REGULATOR = "EnergyAuthority"
HOUSEHOLDS_SHOWN = 3


def personas(cast: Cast) -> Sequence[Persona]:
    """Return some households of the cast, then a clerk of each kind of member."""
    homes = [
        Persona(
            name=f"Household {home.number + 1}",
            role="HOUSEHOLD",
            did=home.did,
            member=None,
            pkcs8=home.key.to_pkcs8().decode(),
        )
        for home in cast.homes[:HOUSEHOLDS_SHOWN]
    ]
    return [*homes, *(_persona(did, account, key) for did, account, key in _clerks(cast))]


def accounts(cast: Cast) -> Mapping[str, AccountRole]:
    """Return the accounts that act for members, by DID."""
    return {did: account for did, account, _ in _clerks(cast)}


def _persona(did: str, account: AccountRole, key: PrivateKey) -> Persona:
    return Persona(
        name=account.name,
        role=account.role,
        did=did,
        member=account.member,
        pkcs8=key.to_pkcs8().decode(),
    )


def _clerks(cast: Cast) -> list[tuple[str, AccountRole, PrivateKey]]:
    accounts = [
        *(AccountRole("RETAILER", retailer, f"Clerk of {retailer}") for retailer in RETAILERS),
        AccountRole("DSO", DSO, f"Control room of {DSO}"),
        AccountRole("OPERATOR", ORACLE, f"Operator of {ORACLE}"),
        AccountRole("REGULATOR", REGULATOR, f"Officer of {REGULATOR}"),
    ]
    keys = [cast.draw.key("clerk", account.member or "") for account in accounts]
    keys[-1] = cast.regulator
    return [
        (did_key(key.public), account, key) for account, key in zip(accounts, keys, strict=True)
    ]
