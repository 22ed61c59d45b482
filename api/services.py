"""What the app is built from: the ledger, the read model, who is who, and what a demonstration adds.

`Services` is handed in whole by whoever starts the API; nothing here opens a file or a connection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

from api.live.freshness import Freshness
from api.live.subscriptions import Hub
from api.read_model.projection import Projection
from api.read_model.reads import ReadModel
from api.settings import ApiSettings
from ledger_network.port import Ledger

Role = Literal["HOUSEHOLD", "RETAILER", "DSO", "OPERATOR", "REGULATOR"]


@dataclass(frozen=True)
class AccountRole:
    """What a DID that is no household's may do: its role, and the member it acts for, if any."""

    role: Role
    member: str | None
    name: str


@dataclass(frozen=True)
class Persona:
    """Somebody of the demonstration whose key the dashboard may borrow."""

    name: str
    role: Role
    did: str
    member: str | None
    pkcs8: str  # PEM


@dataclass(frozen=True)
class EnrolmentResult:
    """What a newcomer of the demonstration was given; `deposit_nano` in nano-currency."""

    meter: str
    zone: str
    retailer: str
    deposit_nano: int
    from_slot: int


class Enrolment(Protocol):
    """Admits newcomers of a demonstration."""

    async def enrol(self, did: str) -> EnrolmentResult:
        """A retailer, a meter and a deposit for `did`; again the same for one enrolled before.

        Raises what `Ledger.submit` raises.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Services:
    """One API of one area.

    `carriers` names the member that submits for the clients of a retailer; for a retailer that
    is not in it, and for traders nobody knows, `member` does, which also asks the ledger's
    queries. `accounts` are the DIDs that are no households.
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
    def hub(self) -> Hub:
        """Where the changes of the read model reach the subscriptions of this API."""
        return Hub(self.projection)

    @cached_property
    def freshness(self) -> Freshness:
        """How old the answers of this API are."""
        return Freshness(
            ledger=self.ledger,
            area=self.area,
            read_model=self.read_model,
            projection=self.projection,
        )

    @property
    def is_demonstration(self) -> bool:
        """Whether keys and enrolment are given to whoever asks."""
        return self.enrolment is not None or bool(self.personas)

    @property
    def shows_book(self) -> bool:
        """Whether the depth of the book is shown to strangers: in a demonstration, or by setting."""
        return self.is_demonstration or self.settings.public_book

    def carrier(self, retailer: str | None) -> str:
        """The member that submits for the clients of `retailer` (None: of nobody known)."""
        return self.member if retailer is None else self.carriers.get(retailer, self.member)
