"""An API by itself, beside a ledger that runs elsewhere: its file, its ledger, its services.

A TOML file has two tables. `api` holds the settings of `api.settings`, `market` says which ledger
and area are served: `profiles` are files as `commonwatt network profile --json` prints them, one
for each member that this API submits for; or `folder` is an embedded ledger, which belongs to one
process, so no market may run on it at the same time. `accounts` are the DIDs that are no
households.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from api.read_model.projection import Projection
from api.read_model.reads import open_read_model
from api.services import AccountRole, Role, Services
from api.settings import ApiSettings, SettingsInvalid
from chaincode.contract import Contract
from commonwatt.wiring.ledger_choice import embedded_ledger
from ledger_network.fabric.consortium.profile import Profile
from ledger_network.fabric.ledger.engine import FabricLedger
from ledger_network.port import Ledger


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A DID that acts for a member, or for the regulator."""

    did: str
    role: Role
    member: str
    name: str


class MarketFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which market an API is of; `member` asks the ledger and carries whom no other carries."""

    area: str
    member: str
    profiles: list[Path] = []
    folder: Path | None = None
    carriers: dict[str, str] = {}
    accounts: list[Account] = []
    currency: str = "EUR"


class _File(msgspec.Struct, frozen=True):
    market: MarketFile


def read_market(file: Path) -> MarketFile:
    """The table `market` of a file. Raises `SettingsInvalid`."""
    try:
        found = msgspec.toml.decode(file.read_bytes(), type=_File, dec_hook=_path).market
    except OSError as error:
        raise SettingsInvalid(f"{file} cannot be read: {error.strerror}.") from None
    except msgspec.DecodeError as error:
        raise SettingsInvalid(f"{file}: {error}.") from None
    if (found.folder is None) == (not found.profiles):
        raise SettingsInvalid(f"{file}: market names either profiles or a folder.")
    return found


@asynccontextmanager
async def opened(market: MarketFile, settings: ApiSettings) -> AsyncGenerator[Services]:
    """The services of a market; the projection is not begun. Closes what it opened."""
    ledger = await _ledger(market)
    try:
        async with await open_read_model(settings.read_model.get_secret_value()) as read_model:
            yield Services(
                ledger=ledger,
                area=market.area,
                member=market.member,
                read_model=read_model,
                projection=Projection(ledger, market.member, read_model),
                settings=settings,
                carriers=market.carriers,
                accounts={
                    each.did: AccountRole(each.role, each.member, each.name)
                    for each in market.accounts
                },
                currency=market.currency,
            )
    finally:
        await ledger.close()


async def _ledger(market: MarketFile) -> Ledger:
    if market.folder is not None:
        return embedded_ledger(market.folder)
    profiles = [_profile(path) for path in market.profiles]
    return await FabricLedger.open(profiles, contract=Contract())


def _profile(path: Path) -> Profile:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Profile, dec_hook=_path)
    except OSError as error:
        raise SettingsInvalid(f"{path} cannot be read: {error.strerror}.") from None
    except msgspec.DecodeError as error:
        raise SettingsInvalid(f"{path} is no profile: {error}.") from None


def _path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError
