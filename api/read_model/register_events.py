"""The registers out of events: organisations, areas, zones, rules, clocks, participants, meters,
oracle nodes, payments between a retailer and its client.

Each event's data says all that changed; only a payment's reference stands in the arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from api.read_model.batch import Batch, Gain
from api.read_model.registry import Holding, Registry
from api.read_model.statements import (
    ADD_POSTING,
    PUT_AREA,
    PUT_METER,
    PUT_ORACLE,
    PUT_ORGANISATION,
    PUT_PARTICIPANT,
    PUT_RULES,
    PUT_ZONE,
    SET_CLOCK,
    SET_LOCKED,
    SET_PAUSED,
)
from chaincode.accounts.balances import Payment, PaymentArguments
from chaincode.area.clock import Clock, ClockArguments
from chaincode.area.rules import RulesArguments
from chaincode.area.zones import AreaArguments, PauseArguments, ZoneArguments
from chaincode.consortium.acts import Act
from chaincode.consortium.registry import InitialiseArguments, OrganisationArguments, Participant
from chaincode.metering.meters import MeterArguments
from chaincode.metering.reports import OracleArguments, OracleSet
from chaincode.state import encode
from ledger_network.port import CommittedEvents

Handler = Callable[[msgspec.Raw, CommittedEvents, Registry, Batch], None]


def _initialised(data: msgspec.Raw, _: CommittedEvents, __: Registry, batch: Batch) -> None:
    arguments = msgspec.json.decode(data, type=InitialiseArguments)
    rows = [(one.name, one.role) for one in arguments.organisations]
    batch.put(PUT_ORGANISATION, *rows)


def _organisation(data: msgspec.Raw, _: CommittedEvents, __: Registry, batch: Batch) -> None:
    arguments = msgspec.json.decode(data, type=OrganisationArguments)
    batch.put(PUT_ORGANISATION, (arguments.name, arguments.role))


def _area(data: msgspec.Raw, happened: CommittedEvents, registry: Registry, batch: Batch) -> None:
    arguments = msgspec.json.decode(data, type=AreaArguments)
    registry.zone_areas[arguments.root] = arguments.area
    batch.put(PUT_AREA, (arguments.area, happened.member, arguments.slot_s, 0, 0, 0))
    batch.put(PUT_ZONE, (arguments.root, arguments.area, None, arguments.grid_level, False))


def _zone(data: msgspec.Raw, _: CommittedEvents, registry: Registry, batch: Batch) -> None:
    arguments = msgspec.json.decode(data, type=ZoneArguments)
    registry.zone_areas[arguments.zone] = arguments.area
    row = (arguments.zone, arguments.area, arguments.parent, arguments.grid_level, False)
    batch.put(PUT_ZONE, row)


def _paused(data: msgspec.Raw, _: CommittedEvents, __: Registry, batch: Batch) -> None:
    batch.put(SET_PAUSED, (True, msgspec.json.decode(data, type=PauseArguments).zone))


def _resumed(data: msgspec.Raw, _: CommittedEvents, __: Registry, batch: Batch) -> None:
    batch.put(SET_PAUSED, (False, msgspec.json.decode(data, type=PauseArguments).zone))


def _rules(data: msgspec.Raw, _: CommittedEvents, registry: Registry, batch: Batch) -> None:
    arguments = msgspec.json.decode(data, type=RulesArguments)
    registry.set_rules(arguments.area, arguments.from_slot, arguments.rules)
    row = (arguments.area, arguments.from_slot, encode(arguments.rules).decode())
    batch.put(PUT_RULES, row)


def _clock(data: msgspec.Raw, _: CommittedEvents, registry: Registry, batch: Batch) -> None:
    clock = msgspec.json.decode(data, type=ClockArguments)
    registry.clocks[clock.area] = Clock(
        real_anchor_s=clock.real_anchor, market_anchor_s=clock.market_anchor, rate=clock.rate
    )
    batch.put(SET_CLOCK, (clock.real_anchor, clock.market_anchor, clock.rate, clock.area))


def _participant(data: msgspec.Raw, _: CommittedEvents, registry: Registry, batch: Batch) -> None:
    participant = msgspec.json.decode(data, type=Participant)
    registry.retailers[participant.did] = participant.retailer
    batch.put(PUT_PARTICIPANT, (participant.did, participant.retailer, False))
    batch.traders.add(participant.did)


def _act(data: msgspec.Raw, _: CommittedEvents, __: Registry, batch: Batch) -> None:
    act = msgspec.json.decode(data, type=Act)
    batch.put(SET_LOCKED, (act.act == "lock", act.participant))
    batch.traders.add(act.participant)


def _meter(data: msgspec.Raw, _: CommittedEvents, registry: Registry, batch: Batch) -> None:
    meter = msgspec.json.decode(data, type=MeterArguments)
    registry.set_holding(meter.meter, meter.from_slot, Holding(meter.holder, meter.zone))
    row = (
        meter.meter, meter.from_slot, registry.zone_areas[meter.zone], meter.holder,
        meter.retailer, meter.zone, meter.grid_level, meter.import_w, meter.export_w, meter.source,
    )  # fmt: skip
    batch.put(PUT_METER, row)
    batch.traders.add(meter.holder)


def _oracle(data: msgspec.Raw, _: CommittedEvents, __: Registry, batch: Batch) -> None:
    arguments = msgspec.json.decode(data, type=OracleArguments)
    oracle = OracleSet(nodes=arguments.nodes, faulty_max=arguments.faulty_max)
    batch.put(PUT_ORACLE, (arguments.area, arguments.from_slot, encode(oracle).decode()))


def _payment(data: msgspec.Raw, happened: CommittedEvents, _: Registry, batch: Batch) -> None:
    """Both sides of a payment: the participant's, and that of the retailer that submitted it."""
    payment = msgspec.json.decode(data, type=Payment)
    reference = msgspec.json.decode(happened.arguments, type=PaymentArguments).reference
    retailer = happened.member
    kind = "credit" if payment.amount_nano > 0 else "debit"
    explain = f"{kind} {reference} by {retailer}"
    block = happened.position.block
    amounts = ((payment.participant, payment.amount_nano), (retailer, -payment.amount_nano))
    for number, (owner, amount_nano) in enumerate(amounts):
        row = (
            batch.next_posting(), payment.area, None, number, owner, amount_nano, kind, None,
            explain, happened.name, happened.transaction, block,
        )  # fmt: skip
        batch.put(ADD_POSTING, row)
        batch.gain(payment.area, owner, Gain(balance_nano=amount_nano), block=block)


REGISTER_EVENTS: Mapping[str, Handler] = {
    "initialised": _initialised,
    "organisation_registered": _organisation,
    "area_registered": _area,
    "zone_registered": _zone,
    "zone_paused": _paused,
    "zone_resumed": _resumed,
    "market_rules_set": _rules,
    "clock_set": _clock,
    "participant_registered": _participant,
    "act_recorded": _act,
    "meter_registered": _meter,
    "oracle_nodes_set": _oracle,
    "credit": _payment,
    "debit": _payment,
}
"""What the read model makes of each event by its name."""
