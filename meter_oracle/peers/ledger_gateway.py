"""The gateway through which a node reaches the ledger.

`Submitter` takes a report, `LedgerView` says what is certified and recorded, and `HealthReceiver` takes
words on health. A node relies on its gateway for what the ledger holds, and on no other node.
`LedgerGateway` offers the first two on a ledger in this process. `RemoteLedgerGateway` offers all three
over mutual TLS; `LedgerGatewayServer` answers it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol, TypeVar

import msgspec

from chaincode.errors import Refused
from chaincode.metering.reports import TRANSIENT_LEAVES, Leaf, Recorded, ReportArguments
from chaincode.queries.market import TradesAnswer
from chaincode.queries.meters import (
    BoundaryMetersAnswer,
    BoundaryMetersArguments,
    ReadingsAnswer,
    ReadingsArguments,
)
from chaincode.slots.gate import SlotArguments
from ledger_network.port import Conflict, Invalid, Ledger, Member, Unknown
from meter_oracle.peers.messages import (
    OK,
    AskMeters,
    AskReadings,
    AskSales,
    Certified,
    Heard,
    Message,
    Meters,
    Readings,
    Sales,
    Submit,
    Tell,
)
from meter_oracle.peers.transport import (
    PeerLink,
    PeerServer,
    PeerUnreachable,
    TlsFiles,
    split_address,
    unreachable,
)

RECORDED = "RECORDED"
EXISTS = "EXISTS"
LEDGER_UNAVAILABLE = "LEDGER_UNAVAILABLE"
ATTEMPTS_MAX = 10  # for a report that conflicts
PAGES_MAX = 200  # pages of an area's meters or readings: 100,000 meters
SUBMIT_S = 30.0
ASK_S = 10.0
LEDGER_NAME = "urn:commonwatt:ledger"

Answer = TypeVar("Answer", BoundaryMetersAnswer, ReadingsAnswer, TradesAnswer)


class SignedReport(msgspec.Struct, frozen=True):
    """A report as it is submitted: the tokens as arguments, the leaves as transient data."""

    arguments: ReportArguments
    transient: dict[str, bytes]


class Submitter(Protocol):
    """Takes reports to the ledger."""

    async def submit(self, report: SignedReport) -> str:
        """Return RECORDED, EXISTS if the ledger holds it already, or a refusal's code; never raises.

        LEDGER_UNAVAILABLE means that the outcome is unknown; the report may be submitted again.
        """
        ...


class LedgerView(Protocol):
    """Shows what the ledger holds, as the node's own member sees it."""

    async def meters(self, boundary: int) -> list[Certified]:
        """Return the meters that take part before or after a boundary; raises `PeerUnreachable`."""
        ...

    async def readings(self, boundary: int) -> list[Leaf]:
        """Return the recorded readings of a boundary; raises `PeerUnreachable`."""
        ...


class HealthReceiver(Protocol):
    """Receives signed words on health: the ledger gateway, and behind it the API that shows them."""

    async def tell(self, token: str) -> str:
        """Return OK, or a code if the word was not taken; never raises."""
        ...


class LedgerGateway:
    """`Submitter` and `LedgerView` on a `Ledger`, for one area and one member."""

    def __init__(self, ledger: Ledger, area: str, member: Member) -> None:
        self._ledger = ledger
        self._area = area
        self._member = member

    async def submit(self, report: SignedReport) -> str:
        """Submit a report, as `Submitter` defines it."""
        for _ in range(ATTEMPTS_MAX):
            try:
                receipt = await self._ledger.submit(
                    "record_readings",
                    report.arguments,
                    member=self._member,
                    transient=report.transient,
                )
                return RECORDED if receipt.read(Recorded).recorded else EXISTS
            except Conflict:
                continue
            except Refused as refused:
                return refused.code
            except (Invalid, Unknown, OSError):
                return LEDGER_UNAVAILABLE
        return LEDGER_UNAVAILABLE

    async def meters(self, boundary: int) -> list[Certified]:
        """Return the meters that take part before or after a boundary, as `LedgerView` defines it."""
        found: list[Certified] = []
        after: str | None = ""
        for _ in range(PAGES_MAX):
            arguments = BoundaryMetersArguments(self._area, boundary, after)
            page = await self._ask("list_boundary_meters", arguments, BoundaryMetersAnswer)
            found.extend(Certified(one.meter, one.import_w, one.export_w) for one in page.meters)
            after = page.after
            if after is None:
                break
        return found

    async def readings(self, boundary: int) -> list[Leaf]:
        """Return the recorded readings, as `LedgerView` defines it."""
        found: list[Leaf] = []
        after: str | None = ""
        for _ in range(PAGES_MAX):
            page = await self._ask(
                "list_readings", ReadingsArguments(self._area, boundary, after), ReadingsAnswer
            )
            found += [reading.leaf for reading in page.readings]
            after = page.after
            if after is None:
                break
        return found

    async def sales(self, slot: int) -> dict[str, int]:
        """Return what was sold for a slot, Wh by meter; raises `PeerUnreachable`."""
        sold_wh: dict[str, int] = {}
        answer = await self._ask("list_trades", SlotArguments(self._area, slot), TradesAnswer)
        for view in answer.trades:
            meter = view.trade.sell_meter
            sold_wh[meter] = sold_wh.get(meter, 0) + view.trade.quantity_wh
        return sold_wh

    async def _ask(self, name: str, arguments: msgspec.Struct, kind: type[Answer]) -> Answer:
        try:
            answer = await self._ledger.evaluate(name, arguments, member=self._member)
        except (Refused, Conflict, Invalid, Unknown, OSError) as fault:
            raise PeerUnreachable("the ledger", f"It does not answer: {fault}.") from None
        return msgspec.json.decode(answer, type=kind)


class RemoteLedgerGateway:
    """`Submitter` and `LedgerView` over mutual TLS."""

    def __init__(self, files: TlsFiles, address: str, *, name: str = LEDGER_NAME) -> None:
        # There are three connections, so that a node can ask what is recorded while a report is on
        # its way, and a word on health, which may wait long for the API, delays neither.
        self._submits = PeerLink(files, name, address)
        self._asks = PeerLink(files, name, address)
        self._tells = PeerLink(files, name, address)

    async def submit(self, report: SignedReport) -> str:
        """Submit a report, as `Submitter` defines it."""
        leaves = msgspec.Raw(report.transient[TRANSIENT_LEAVES])
        question = Submit(list(report.arguments.tokens), leaves)
        try:
            answer = await self._submits.ask(question, timeout_s=SUBMIT_S)
        except PeerUnreachable:
            return LEDGER_UNAVAILABLE
        return answer.code if isinstance(answer, Heard) else LEDGER_UNAVAILABLE

    async def meters(self, boundary: int) -> list[Certified]:
        """Return the certified meters, as `LedgerView` defines it."""
        answer = await self._asks.ask(AskMeters(boundary), timeout_s=ASK_S)
        if not isinstance(answer, Meters):
            raise unreachable(answer, self._asks.name)
        return answer.meters

    async def readings(self, boundary: int) -> list[Leaf]:
        """Return the recorded readings, as `LedgerView` defines it."""
        answer = await self._asks.ask(AskReadings(boundary), timeout_s=ASK_S)
        if not isinstance(answer, Readings):
            raise unreachable(answer, self._asks.name)
        return answer.leaves

    async def sales(self, slot: int) -> dict[str, int]:
        """Return what was sold for a slot, Wh by meter; raises `PeerUnreachable`."""
        answer = await self._asks.ask(AskSales(slot), timeout_s=ASK_S)
        if not isinstance(answer, Sales):
            raise unreachable(answer, self._asks.name)
        return answer.sold_wh

    async def tell(self, token: str) -> str:
        """Pass a word on, as `HealthReceiver` defines it."""
        try:
            answer = await self._tells.ask(Tell(token), timeout_s=ASK_S)
        except PeerUnreachable:
            return LEDGER_UNAVAILABLE
        return answer.code if isinstance(answer, Heard) else LEDGER_UNAVAILABLE

    async def close(self) -> None:
        """Close all connections."""
        await self._submits.close()
        await self._asks.close()
        await self._tells.close()


class LedgerGatewayServer:
    """Answers the nodes of given names on behalf of a ledger gateway.

    It passes words on health on to `receiver`; without a receiver it takes and discards them.
    """

    def __init__(
        self,
        gateway: LedgerGateway,
        files: TlsFiles,
        nodes: Collection[str],
        receiver: HealthReceiver | None = None,
    ) -> None:
        self._gateway = gateway
        self._receiver = receiver
        self._server = PeerServer(files, nodes, self._answer)

    async def start(self, address: str) -> int:
        """Listen at `host:port`, and return the port."""
        return await self._server.start(*split_address(address))

    async def close(self) -> None:
        """Stop answering."""
        await self._server.close()

    async def _answer(self, _node: str, message: Message) -> Message:
        try:
            match message:
                case Submit():
                    report = SignedReport(
                        ReportArguments(message.tokens), {TRANSIENT_LEAVES: bytes(message.leaves)}
                    )
                    return Heard(await self._gateway.submit(report))
                case AskMeters():
                    return Meters(await self._gateway.meters(message.boundary))
                case AskReadings():
                    return Readings(await self._gateway.readings(message.boundary))
                case AskSales():
                    return Sales(await self._gateway.sales(message.slot))
                case Tell():
                    receiver = self._receiver
                    return Heard(OK if receiver is None else await receiver.tell(message.token))
                case _:
                    return Heard(
                        "MESSAGE_UNEXPECTED",
                        "The ledger gateway does not take this kind of message.",
                    )
        except PeerUnreachable as fault:
            return Heard(LEDGER_UNAVAILABLE, fault.sentence)
