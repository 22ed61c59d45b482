"""Keeps what the nodes say they observed at each boundary, and which nodes are not believed.

A node takes an observation only from the node that signed it, for a boundary that is over, and with a
clock near its own. A later observation of the same boundary must have a higher sequence and may only add
meters. Two observations that contradict each other prove that their signer equivocates, whether both
arrive here or another node shows one of them. From then on the node ignores everything that the signer
says about that boundary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from identity.jws import TokenRefused
from meter_oracle.agreement.consensus import Values
from meter_oracle.peers.messages import (
    OK,
    Heard,
    ObservationHeader,
    Observe,
    digest_of,
    read_header,
)
from meter_oracle.settings import MarketSettings

NS_PER_MS = 1_000_000
SEQUENCES_MAX = 1_000  # per node and boundary; each late meter adds one
CLOCK = "CLOCK"
REPLAYED = "REPLAYED"
EQUIVOCATES = "EQUIVOCATES"


class Moment(NamedTuple):
    """The current time by the node's own clock, and the oldest boundary that is still kept."""

    now_ns: int
    market_s: int
    oldest_s: int


class _Said(NamedTuple):
    digest: str
    token: str


class Observations:
    """The observations of all nodes, this one included, at the boundaries that are kept."""

    def __init__(
        self, market: MarketSettings, configuration: str, *, clock_ms_max: int, early_s: int
    ) -> None:
        self._market = market
        self._configuration = configuration
        self._clock_ns_max = clock_ms_max * NS_PER_MS
        self._early_s = early_s  # market seconds by which another node's clock may be ahead
        self._values: dict[int, dict[str, dict[str, Values]]] = {}
        self._said: dict[int, dict[str, dict[int, _Said]]] = {}
        self._liars: dict[int, set[str]] = {}

    def header(self, boundary: int, *, node: str, sent_ns: int) -> ObservationHeader:
        """Return the header for the next observation of this node, `node`."""
        said = self._said.get(boundary, {}).get(node, {})
        return ObservationHeader(
            area=self._market.area,
            boundary=boundary,
            channel=self._market.channel,
            configuration=self._configuration,
            contract=self._market.contract,
            digest="",
            sent_ns=str(sent_ns),
            sequence=len(said),
        )

    def take(self, node: str, message: Observe, moment: Moment) -> Heard:
        """Take an observation that `node` has sent, or answer why it is not taken."""
        try:
            signer, header = read_header(message.token)
        except TokenRefused as refused:
            return Heard(refused.code, refused.sentence)
        if signer != node or node not in self._market.nodes:
            return Heard("SIGNER_WRONG", "The observation is not signed by the node that sent it.")
        if header != self._expected(header):
            return Heard("MARKET_WRONG", "The observation is for another market or set of nodes.")
        if digest_of(message.values) != header.digest:
            return Heard("DIGEST_WRONG", "The values are not the signed ones.")
        heard = self._refusal(node, header, moment)
        if heard is not None:
            return heard
        return self._keep(node, header, message)

    def shown(self, tokens: Sequence[str]) -> list[str]:
        """Return the nodes that contradict themselves in headers that another node has shown."""
        liars: list[str] = []
        for token in tokens:
            try:
                signer, header = read_header(token)
            except TokenRefused:
                continue
            said = self._said.get(header.boundary, {}).get(signer, {}).get(header.sequence)
            known = said is not None and header == self._expected(header)
            if known and said is not None and said.digest != header.digest:
                self._liars.setdefault(header.boundary, set()).add(signer)
                liars.append(signer)
        return liars

    def at(self, boundary: int) -> Mapping[str, Mapping[str, Values]]:
        """Return what each believed node has observed at a boundary, by meter."""
        liars = self._liars.get(boundary, set())
        observed = self._values.get(boundary, {})
        return {node: values for node, values in observed.items() if node not in liars}

    def tokens(self, boundary: int) -> list[str]:
        """Return the newest signed header of each node at a boundary."""
        return [said[max(said)].token for said in self._said.get(boundary, {}).values() if said]

    def has_said(self, boundary: int, node: str) -> bool:
        """Return whether a node has sent an observation of a boundary, even one without meters."""
        return bool(self._said.get(boundary, {}).get(node))

    def is_liar(self, boundary: int, node: str) -> bool:
        """Return whether a node has contradicted itself about a boundary."""
        return node in self._liars.get(boundary, set())

    def forget_values(self, boundary: int) -> None:
        """Forget the registers at a boundary that no report needs any more.

        The signed headers stay, so that a node that contradicts them later is still detected.
        """
        self._values.pop(boundary, None)

    def drop(self, oldest_s: int) -> None:
        """Forget boundaries before `oldest_s`."""
        for kept in (self._values, self._said, self._liars):
            for boundary in [boundary for boundary in kept if boundary < oldest_s]:
                del kept[boundary]

    def _expected(self, header: ObservationHeader) -> ObservationHeader:
        """Return the header with every field that the signer may not choose set to its required value."""
        return ObservationHeader(
            area=self._market.area,
            boundary=header.boundary,
            channel=self._market.channel,
            configuration=self._configuration,
            contract=self._market.contract,
            digest=header.digest,
            sent_ns=header.sent_ns,
            sequence=header.sequence,
        )

    def _refusal(self, node: str, header: ObservationHeader, moment: Moment) -> Heard | None:
        if not header.sent_ns.isdecimal() or len(header.sent_ns) > 20:
            return Heard(CLOCK, "The observation does not say when it was sent.")
        off_ns = int(header.sent_ns) - moment.now_ns
        if abs(off_ns) > self._clock_ns_max:
            seconds = abs(off_ns) / 1_000_000_000
            way = "ahead of" if off_ns > 0 else "behind"
            return Heard(CLOCK, f"The node's clock is {seconds:.1f} s {way} the receiver's.")
        if header.boundary % self._market.slot_s or header.boundary < moment.oldest_s:
            return Heard(REPLAYED, "The boundary is not one that is still reported.")
        if header.boundary > moment.market_s + self._early_s:
            return Heard("EARLY", "The boundary has not been reached yet.")
        said = self._said.get(header.boundary, {}).get(node, {})
        known = said.get(header.sequence)
        if known is not None and known.digest != header.digest:
            self._liars.setdefault(header.boundary, set()).add(node)
            return Heard(
                EQUIVOCATES, "The observation contradicts one that the same node has signed before."
            )
        if known is not None:
            return Heard(OK)
        if said and header.sequence < max(said):
            return Heard(REPLAYED, "A later observation of the same boundary has already arrived.")
        if len(said) >= SEQUENCES_MAX:
            return Heard(
                "TOO_MANY", f"A node may send at most {SEQUENCES_MAX} observations of a boundary."
            )
        return None

    def _keep(self, node: str, header: ObservationHeader, message: Observe) -> Heard:
        values = self._values.setdefault(header.boundary, {}).setdefault(node, {})
        for one in message.values:
            value = Values(one.import_wh, one.export_wh, one.resolution_wh)
            if values.get(one.meter, value) != value:
                self._liars.setdefault(header.boundary, set()).add(node)
                return Heard(
                    EQUIVOCATES, f"The observation contradicts an earlier one about {one.meter}."
                )
        values.update(
            (one.meter, Values(one.import_wh, one.export_wh, one.resolution_wh))
            for one in message.values
        )
        said = self._said.setdefault(header.boundary, {}).setdefault(node, {})
        said[header.sequence] = _Said(header.digest, message.token)
        return Heard(OK)
