"""Runs an API alone, for a ledger that runs elsewhere: its file, its ledger, its services.

A TOML file has two tables. `api` has the settings of `api.settings`, `market` says which ledger and
area the API serves. `profiles` are files as `commonwatt network profile --json` prints them, one
for each member that this API submits for. Instead, `folder` can name an embedded ledger; only one
process can open such a ledger, so no market may run on it at the same time. `accounts` are the DIDs
that do not belong to households.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from api.features.reads import open_read_model
from api.live.projection import Projection
from api.services import AccountRole, Role, Services
from api.settings import ApiSettings, SettingsInvalid
from chaincode.contract import Contract
from commonwatt.wiring.ledger_choice import embedded_ledger
from ledger_network.fabric.consortium.profile import Profile
from ledger_network.fabric.ledger.engine import FabricLedger
from ledger_network.port import Ledger


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A DID that acts for a member or for the regulator."""

    did: str
    role: Role
    member: str
    name: str


class MarketFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The market of an API.

    The API queries the ledger as `member`, and `member` carries the orders of traders that are not in
    `carriers`.
    """

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
    """Read the table `market` of a file. Raises `SettingsInvalid`."""
    try:
        found = msgspec.toml.decode(file.read_bytes(), type=_File, dec_hook=_path).market
    except OSError as error:
        raise SettingsInvalid(f"{file} cannot be read: {error.strerror}.") from None
    except msgspec.DecodeError as error:
        raise SettingsInvalid(f"{file}: {error}.") from None
    if (found.folder is None) == (not found.profiles):
        raise SettingsInvalid(f"{file}: market needs either profiles or a folder, not both.")
    return found


@asynccontextmanager
async def opened(market: MarketFile, settings: ApiSettings) -> AsyncGenerator[Services]:
    """Yield the services of a market, closed at the end; the caller starts the projection."""
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
        raise SettingsInvalid(f"{path} does not hold a profile: {error}.") from None


def _path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError
