"""How reports reach the ledger, and how nodes see what it holds.

`Submitter` takes a report, `LedgerView` says what is certified and recorded; a node trusts that and
no other node's word about it. Words on health go the same way and on to an API, where the ledger's
side knows one. Both are met by a ledger in this process (`LedgerSide`) and by one
behind mutual TLS (`RemoteLedgerSide`, answered by `LedgerSideServer`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol, TypeVar

import msgspec

from chaincode.errors import Refused
from chaincode.metering.reports import TRANSIENT_LEAVES, Leaf, Recorded, ReportArguments
from chaincode.queries.market import TradesAnswer
from chaincode.queries.meters import (
    MetersAnswer,
    MetersArguments,
    ReadingsAnswer,
    ReadingsArguments,
)
from chaincode.slots.gate import SlotArguments
from chaincode.state import at_slot
from ledger_network.port import Conflict, Invalid, Ledger, Member, Unknown
from meter_oracle.agreement.observations import OK
from meter_oracle.agreement.report import SignedReport
from meter_oracle.health.teller import Herald
from meter_oracle.peers.messages import (
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
ATTEMPTS_MAX = 10  # of a report that conflicts
PAGES_MAX = 200  # of meters or readings of an area: 100,000 meters
SUBMIT_S = 30.0
ASK_S = 10.0
LEDGER_NAME = "urn:commonwatt:ledger"

Answer = TypeVar("Answer", MetersAnswer, ReadingsAnswer, TradesAnswer)


class Submitter(Protocol):
    """Takes reports to the ledger."""

    async def submit(self, report: SignedReport) -> str:
        """RECORDED, EXISTS for one known already, or the code of the refusal; never raises.

        LEDGER_UNAVAILABLE: nothing is known of it; it may be submitted again.
        """
        ...


class LedgerView(Protocol):
    """What the ledger holds, as the node's own member sees it."""

    async def meters(self, slot: int) -> list[Certified]:
        """The meters certified for a slot; raises `PeerUnreachable`."""
        ...

    async def readings(self, slot: int) -> list[Leaf]:
        """The newest recorded readings of a slot; raises `PeerUnreachable`."""
        ...


class LedgerSide:
    """`Submitter` and `LedgerView` on a `Ledger`, for one area and one member."""

    def __init__(self, ledger: Ledger, area: str, member: Member) -> None:
        self._ledger = ledger
        self._area = area
        self._member = member

    async def submit(self, report: SignedReport) -> str:
        """As `Submitter` has it."""
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

    async def meters(self, slot: int) -> list[Certified]:
        """As `LedgerView` has it."""
        found: list[Certified] = []
        after: str | None = ""
        for _ in range(PAGES_MAX):
            page = await self._ask("list_meters", MetersArguments(self._area, after), MetersAnswer)
            for meter in page.meters:
                version = at_slot(meter.versions, slot)
                if version is not None:
                    found.append(Certified(meter.meter, version.import_w, version.export_w))
            after = page.after
            if after is None:
                break
        return found

    async def readings(self, slot: int) -> list[Leaf]:
        """As `LedgerView` has it."""
        found: list[Leaf] = []
        after: str | None = ""
        for _ in range(PAGES_MAX):
            page = await self._ask(
                "list_readings", ReadingsArguments(self._area, slot, after), ReadingsAnswer
            )
            found += [stored.reading.leaf for stored in page.readings]
            after = page.after
            if after is None:
                break
        return found

    async def sales(self, slot: int) -> dict[str, int]:
        """What was sold for a slot, Wh by meter; raises `PeerUnreachable`."""
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


class RemoteLedgerSide:
    """`Submitter` and `LedgerView` over mutual TLS."""

    def __init__(self, files: TlsFiles, address: str, *, name: str = LEDGER_NAME) -> None:
        # Three connections: what is recorded can be asked while a report is on its way, and a
        # word on health, which may wait long for an API, holds up neither.
        self._submits = PeerLink(files, name, address)
        self._asks = PeerLink(files, name, address)
        self._tells = PeerLink(files, name, address)

    async def submit(self, report: SignedReport) -> str:
        """As `Submitter` has it."""
        leaves = msgspec.Raw(report.transient[TRANSIENT_LEAVES])
        question = Submit(list(report.arguments.tokens), leaves)
        try:
            answer = await self._submits.ask(question, timeout_s=SUBMIT_S)
        except PeerUnreachable:
            return LEDGER_UNAVAILABLE
        return answer.code if isinstance(answer, Heard) else LEDGER_UNAVAILABLE

    async def meters(self, slot: int) -> list[Certified]:
        """As `LedgerView` has it."""
        answer = await self._asks.ask(AskMeters(slot), timeout_s=ASK_S)
        if not isinstance(answer, Meters):
            raise unreachable(answer, self._asks.name)
        return answer.meters

    async def readings(self, slot: int) -> list[Leaf]:
        """As `LedgerView` has it."""
        answer = await self._asks.ask(AskReadings(slot), timeout_s=ASK_S)
        if not isinstance(answer, Readings):
            raise unreachable(answer, self._asks.name)
        return answer.leaves

    async def sales(self, slot: int) -> dict[str, int]:
        """What was sold for a slot, Wh by meter; raises `PeerUnreachable`."""
        answer = await self._asks.ask(AskSales(slot), timeout_s=ASK_S)
        if not isinstance(answer, Sales):
            raise unreachable(answer, self._asks.name)
        return answer.sold_wh

    async def tell(self, token: str) -> str:
        """As `Herald` has it."""
        try:
            answer = await self._tells.ask(Tell(token), timeout_s=ASK_S)
        except PeerUnreachable:
            return LEDGER_UNAVAILABLE
        return answer.code if isinstance(answer, Heard) else LEDGER_UNAVAILABLE

    async def close(self) -> None:
        """Let go of all connections."""
        await self._submits.close()
        await self._asks.close()
        await self._tells.close()


class LedgerSideServer:
    """Answers the nodes of given names for a ledger's side.

    What they say of health goes on to `herald`; without one it is taken and forgotten.
    """

    def __init__(
        self,
        side: LedgerSide,
        files: TlsFiles,
        nodes: Collection[str],
        herald: Herald | None = None,
    ) -> None:
        self._side = side
        self._herald = herald
        self._server = PeerServer(files, nodes, self._answer)

    async def start(self, address: str) -> int:
        """Listen at `host:port`; the port that it is."""
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
                    return Heard(await self._side.submit(report))
                case AskMeters():
                    return Meters(await self._side.meters(message.slot))
                case AskReadings():
                    return Readings(await self._side.readings(message.slot))
                case AskSales():
                    return Sales(await self._side.sales(message.slot))
                case Tell():
                    herald = self._herald
                    return Heard(OK if herald is None else await herald.tell(message.token))
                case _:
                    return Heard("MESSAGE_UNEXPECTED", "The ledger's side takes no such message.")
        except PeerUnreachable as fault:
            return Heard(LEDGER_UNAVAILABLE, fault.sentence)
