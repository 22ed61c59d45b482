"""What the app is built from: the ledger, the read model, the accounts, the demonstration's parts.

The caller that starts the API passes `Services` to it; this module opens no files or connections.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

from api.features.reads import ReadModel
from api.live.freshness import Freshness
from api.live.projection import Projection
from api.live.subscriptions import Subscriptions
from api.settings import ApiSettings
from ledger_network.port import Ledger

Role = Literal["HOUSEHOLD", "RETAILER", "DSO", "OPERATOR", "REGULATOR"]


@dataclass(frozen=True)
class AccountRole:
    """The role of a DID that is not a household's, and the member that it acts for, if any."""

    role: Role
    member: str | None
    name: str


@dataclass(frozen=True)
class Persona:
    """A person of the demonstration, whose key any visitor of the dashboard may use."""

    name: str
    role: Role
    did: str
    member: str | None
    pkcs8: str  # in PEM


@dataclass(frozen=True)
class EnrolmentResult:
    """What a newcomer of the demonstration has received; `deposit_nano` is in nano-currency."""

    meter: str
    zone: str
    retailer: str
    deposit_nano: int
    from_slot: int


@dataclass(frozen=True)
class HomeOffer:
    """The home that a newcomer of the demonstration may have, and what the newcomer has to sign.

    The newcomer joins `retailer`, says that it holds `meter`, and agrees that the retailer supplies
    the meter from `from_slot` on; the signed documents are valid until `valid_until_s`.
    """

    meter: str
    zone: str
    retailer: str
    from_slot: int
    valid_until_s: int


class Enrolment(Protocol):
    """Admits newcomers of a demonstration."""

    async def offer(self, did: str) -> HomeOffer:
        """Offer `did` a home; an enrolled DID is offered its own home again."""
        ...

    async def enrol(self, did: str, *, join: str, hold: str, supply: str) -> EnrolmentResult:
        """Give `did` a retailer, a meter and a deposit; an enrolled DID gets the same answer again.

        `join`, `hold` and `supply` are signed by `did`: it joins the offered retailer, holds the
        offered meter and agrees to its supply. Raises what `Ledger.submit` raises.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Services:
    """One API of one area.

    `carriers` names the member that submits for the clients of a retailer. For other retailers and
    for unknown traders `member` submits; it also queries the ledger. `accounts` are the DIDs that
    are not households.
    """

    ledger: Ledger
    area: str
    member: str
    read_model: ReadModel
    projection: Projection
    settings: ApiSettings
    carriers: Mapping[str, str]
    accounts: Mapping[str, AccountRole]
    enrolment: Enrolment | None = None
    personas: Sequence[Persona] = ()
    currency: str = "EUR"

    @cached_property
    def subscriptions(self) -> Subscriptions:
        """The subscriptions of this API to changes of the read model."""
        return Subscriptions(self.projection)

    @cached_property
    def freshness(self) -> Freshness:
        """The age of this API's answers."""
        return Freshness(
            ledger=self.ledger,
            area=self.area,
            read_model=self.read_model,
            projection=self.projection,
        )

    @property
    def is_demonstration(self) -> bool:
        """Whether any visitor may get a persona's key or be enrolled."""
        return self.enrolment is not None or bool(self.personas)

    @cached_property
    def shows_book(self) -> bool:
        """Whether strangers may see the depth of the book: in a demonstration, or by a setting."""
        return self.is_demonstration or self.settings.public_book

    def carrier(self, retailer: str | None) -> str:
        """Return the member that submits for clients of `retailer` (None for unknown traders)."""
        return self.member if retailer is None else self.carriers.get(retailer, self.member)
