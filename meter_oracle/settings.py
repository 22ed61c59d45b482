"""A node's settings: one file (YAML or TOML) that is checked completely before anything starts.

Paths in the file are relative to it. The file holds no secrets; keys are in separate files.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from chaincode.area.clock import RATE_MAX
from chaincode.metering.oracles import NODES_MAX, OracleSet
from identity.did import resolve_did_key
from identity.errors import IdentityError
from meter_oracle.drivers.sources import MeterSource
from meter_oracle.peers.transport import TlsFiles, split_address
from meter_oracle.schedule import NS_PER_S

FILE_BYTES_MAX = 16 * 1024 * 1024  # ten thousand meters
METERS_MAX = 10_000

Count = Annotated[int, msgspec.Meta(ge=0)]
Milliseconds = Annotated[int, msgspec.Meta(ge=1, le=3_600_000)]


class SettingsInvalid(Exception):
    """A settings file is invalid; the text says where and why."""


class MarketSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The market whose meters the node reads; every signature names it."""

    area: str
    channel: str
    contract: str
    slot_s: Annotated[int, msgspec.Meta(ge=300, le=3_600)] = 900
    nodes: Annotated[list[str], msgspec.Meta(min_length=1, max_length=NODES_MAX)]
    faulty_max: Count = 1

    @property
    def oracle(self) -> OracleSet:
        """Return the set of nodes as the ledger records it."""
        return OracleSet(nodes=self.nodes, faulty_max=self.faulty_max)

    @property
    def quorum(self) -> int:
        """Return how many nodes must agree and sign: 2f + 1."""
        return 2 * self.faulty_max + 1


class TimingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a node waits, in real milliseconds, and how far clocks may differ.

    `skew_ms` is the time by which two honest looks at a boundary may lie apart; multiplied by the
    certified power it gives the tolerance. A clock that is off by more than `clock_ms_max` is wrong. The
    node begins to read `lead_ms` before a boundary and sends what it has read `sweep_ms` after it. It
    waits `patience_ms` for the observations of the other nodes, `turn_ms` for each node that comes before
    it, `ask_ms` for an answer, and `retry_ms` before it reads a late meter again. A late meter may be
    reported for `keep_slots`. At most `in_flight` meters are read at once.
    """

    skew_ms: Milliseconds = 2_000
    clock_ms_max: Milliseconds = 10_000
    lead_ms: Milliseconds = 1_000
    sweep_ms: Milliseconds = 1_500
    patience_ms: Milliseconds = 1_000
    turn_ms: Milliseconds = 2_500
    ask_ms: Milliseconds = 2_000
    retry_ms: Milliseconds = 5_000
    keep_slots: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 96
    in_flight: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 64


class PeerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another node: its DID, and the `host:port` at which it listens."""

    did: str
    address: str


class ClockSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A demonstration's market time, as in the ledger's `set_clock`; seconds UTC."""

    real_anchor_s: Count
    market_anchor_s: Count
    rate: Annotated[int, msgspec.Meta(ge=1, le=RATE_MAX)] = 1

    def market_ns(self, real_ns: int) -> int:
        """Return market time at a real time, nanoseconds UTC; it does not pass before the anchor."""
        passed_ns = max(0, real_ns - self.real_anchor_s * NS_PER_S)
        return self.market_anchor_s * NS_PER_S + passed_ns * self.rate


class LedgerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `host:port` at which the ledger gateway listens, and the name in its certificate."""

    address: str
    name: str = "urn:commonwatt:ledger"


class NodeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole settings file of a node."""

    market: MarketSettings
    key: str
    listen: str
    tls: TlsFiles
    peers: list[PeerSettings]
    ledger: LedgerSettings
    meters: Annotated[list[MeterSource], msgspec.Meta(max_length=METERS_MAX)]
    timing: TimingSettings = TimingSettings()
    clock: ClockSettings | None = None
    live_control: bool = False


def read_settings(file: Path, environment: Mapping[str, str]) -> NodeSettings:
    """Read a settings file; `COMMONWATT_ORACLE_LISTEN` and `_KEY` in the environment replace its fields.

    Raises `SettingsInvalid`.
    """
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise SettingsInvalid(f"{file}: more than {FILE_BYTES_MAX} bytes")
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".toml":
            settings = msgspec.convert(tomllib.loads(text), NodeSettings)
        else:
            settings = msgspec.yaml.decode(text, type=NodeSettings)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.MsgspecError) as fault:
        raise SettingsInvalid(f"{file}: {fault}") from None
    given = {
        field: environment[f"COMMONWATT_ORACLE_{field.upper()}"]
        for field in ("listen", "key")
        if f"COMMONWATT_ORACLE_{field.upper()}" in environment
    }
    settings = msgspec.structs.replace(settings, **given)
    settings = msgspec.structs.replace(
        settings, key=str(file.parent / settings.key), tls=settings.tls.under(file.parent)
    )
    faults = list(_faults(settings))
    if faults:
        raise SettingsInvalid(f"{file}: {'; '.join(faults)}")
    return settings


def _faults(settings: NodeSettings) -> list[str]:
    """Return what is wrong although each field alone is valid."""
    market, found = settings.market, list[str]()
    for did in market.nodes:
        try:
            resolve_did_key(did)
        except IdentityError as refused:
            found.append(f"market.nodes: {did}: {refused.sentence}")
    if len(set(market.nodes)) != len(market.nodes):
        found.append("market.nodes: a node is listed twice")
    if len(market.nodes) < 3 * market.faulty_max + 1:
        found.append(
            f"market.nodes: faulty_max {market.faulty_max} needs {3 * market.faulty_max + 1} nodes"
        )
    strangers = {peer.did for peer in settings.peers} - set(market.nodes)
    if strangers:
        found.append(f"peers: not in market.nodes: {', '.join(sorted(strangers))}")
    for address in (settings.listen, settings.ledger.address, *(p.address for p in settings.peers)):
        try:
            split_address(address)
        except ValueError as fault:
            found.append(str(fault))
    names = [meter.meter for meter in settings.meters]
    if len(set(names)) != len(names):
        found.append("meters: a meter is listed twice")
    return found
