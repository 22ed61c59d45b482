"""What the nodes say they observed, boundary by boundary, and who is not believed.

An observation is taken from the node that signed it, for a boundary that is over, with a clock near
ours. A further one of the same boundary has to have a higher sequence and may only add meters. Two
that contradict each other, seen here or shown by another node, prove that their signer equivocates;
nothing it says about that boundary counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from identity.jws import TokenRefused
from meter_oracle.agreement.consensus import Values
from meter_oracle.peers.messages import Heard, ObservationHeader, Observe, digest_of, read_header
from meter_oracle.settings import MarketSettings

NS_PER_MS = 1_000_000
SEQUENCES_MAX = 1_000  # of one node at one boundary; a meter that is late adds one
OK = "OK"
CLOCK = "CLOCK"
REPLAYED = "REPLAYED"
EQUIVOCATES = "EQUIVOCATES"


class Moment(NamedTuple):
    """Now by our own clock: real nanoseconds, market seconds, oldest boundary still kept."""

    now_ns: int
    market_s: int
    oldest_s: int


class _Said(NamedTuple):
    digest: str
    token: str


class Observations:
    """Observations of all nodes, our own included, of the boundaries that are kept."""

    def __init__(
        self, market: MarketSettings, configuration: str, *, clock_ms_max: int, early_s: int
    ) -> None:
        self._market = market
        self._configuration = configuration
        self._clock_ns_max = clock_ms_max * NS_PER_MS
        self._early_s = early_s  # market seconds by which another's clock may be ahead
        self._values: dict[int, dict[str, dict[str, Values]]] = {}
        self._said: dict[int, dict[str, dict[int, _Said]]] = {}
        self._liars: dict[int, set[str]] = {}

    def header(self, boundary: int, *, node: str, sent_ns: int) -> ObservationHeader:
        """The header of the next observation of our own node `node`."""
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
        """Take an observation that `node` has sent, or say why not."""
        try:
            signer, header = read_header(message.token)
        except TokenRefused as refused:
            return Heard(refused.code, refused.sentence)
        if signer != node or node not in self._market.nodes:
            return Heard("SIGNER_WRONG", "It is signed by another than who has sent it.")
        if header != self._expected(header):
            return Heard("MARKET_WRONG", "It is for another market or set of nodes.")
        if digest_of(message.values) != header.digest:
            return Heard("DIGEST_WRONG", "Its values are not those that were signed.")
        heard = self._refusal(node, header, moment)
        if heard is not None:
            return heard
        return self._keep(node, header, message)

    def shown(self, tokens: Sequence[str]) -> list[str]:
        """Nodes that contradict themselves in headers that another node has shown us."""
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
        """What each node has observed at a boundary, by meter."""
        liars = self._liars.get(boundary, set())
        observed = self._values.get(boundary, {})
        return {node: values for node, values in observed.items() if node not in liars}

    def tokens(self, boundary: int) -> list[str]:
        """The newest signed header of each node at a boundary."""
        return [said[max(said)].token for said in self._said.get(boundary, {}).values() if said]

    def has_said(self, boundary: int, node: str) -> bool:
        """Whether a node has observed a boundary, be it no meter at all."""
        return bool(self._said.get(boundary, {}).get(node))

    def is_liar(self, boundary: int, node: str) -> bool:
        """Whether a node has contradicted itself about a boundary."""
        return node in self._liars.get(boundary, set())

    def forget_values(self, boundary: int) -> None:
        """Forget the registers at a boundary that no report needs any more.

        Who has said something stays known, so that it cannot be said anew in other words.
        """
        self._values.pop(boundary, None)

    def drop(self, oldest_s: int) -> None:
        """Forget boundaries before `oldest_s`."""
        for kept in (self._values, self._said, self._liars):
            for boundary in [boundary for boundary in kept if boundary < oldest_s]:
                del kept[boundary]

    def _expected(self, header: ObservationHeader) -> ObservationHeader:
        """A header with everything that is not the signer's to choose as it has to be."""
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
            return Heard(CLOCK, "It does not say when it was sent.")
        off_ns = int(header.sent_ns) - moment.now_ns
        if abs(off_ns) > self._clock_ns_max:
            seconds = abs(off_ns) / 1_000_000_000
            way = "ahead of" if off_ns > 0 else "behind"
            return Heard(CLOCK, f"Its clock is {seconds:.1f} s {way} ours.")
        if header.boundary % self._market.slot_s or header.boundary < moment.oldest_s:
            return Heard(REPLAYED, "Its boundary is none that is still reported.")
        if header.boundary > moment.market_s + self._early_s:
            return Heard("EARLY", "Its boundary is not reached yet.")
        said = self._said.get(header.boundary, {}).get(node, {})
        known = said.get(header.sequence)
        if known is not None and known.digest != header.digest:
            self._liars.setdefault(header.boundary, set()).add(node)
            return Heard(EQUIVOCATES, "It contradicts what the same node has signed before.")
        if known is not None:
            return Heard(OK)
        if said and header.sequence < max(said):
            return Heard(REPLAYED, "A later one of the same boundary has come already.")
        if len(said) >= SEQUENCES_MAX:
            return Heard("TOO_MANY", f"At most {SEQUENCES_MAX} observations of a boundary.")
        return None

    def _keep(self, node: str, header: ObservationHeader, message: Observe) -> Heard:
        values = self._values.setdefault(header.boundary, {}).setdefault(node, {})
        for one in message.values:
            value = Values(one.import_wh, one.export_wh, one.resolution_wh)
            if values.get(one.meter, value) != value:
                self._liars.setdefault(header.boundary, set()).add(node)
                return Heard(EQUIVOCATES, f"It now says something else about {one.meter}.")
        values.update(
            (one.meter, Values(one.import_wh, one.export_wh, one.resolution_wh))
            for one in message.values
        )
        said = self._said.setdefault(header.boundary, {}).setdefault(node, {})
        said[header.sequence] = _Said(header.digest, message.token)
        return Heard(OK)
