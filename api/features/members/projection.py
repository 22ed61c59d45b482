"""Writes organisations, participants and their locks from events."""

from __future__ import annotations

import msgspec

from api.features.event_context import EventContext
from api.read_model.statements import upsert
from chaincode.consortium.acts import Act
from chaincode.consortium.organisations import InitialiseArguments, OrganisationArguments
from chaincode.consortium.participants import Participant

PUT_ORGANISATION = upsert("organisation", ["name"], ["role"])
PUT_PARTICIPANT = upsert("participant", ["did"], ["retailer", "locked"])
SET_LOCKED = "UPDATE participant SET locked = ? WHERE did = ?"


def initialised(data: msgspec.Raw, at: EventContext) -> None:
    """Add the organisations that the ledger began with."""
    arguments = msgspec.json.decode(data, type=InitialiseArguments)
    rows = [(one.name, one.role) for one in arguments.organisations]
    at.batch.put(PUT_ORGANISATION, *rows)


def organisation_registered(data: msgspec.Raw, at: EventContext) -> None:
    """Add an organisation."""
    arguments = msgspec.json.decode(data, type=OrganisationArguments)
    at.batch.put(PUT_ORGANISATION, (arguments.name, arguments.role))


def participant_registered(data: msgspec.Raw, at: EventContext) -> None:
    """Add a participant and the retailer that admitted it."""
    participant = msgspec.json.decode(data, type=Participant)
    at.registry.retailers[participant.did] = participant.retailer
    at.batch.put(PUT_PARTICIPANT, (participant.did, participant.retailer, False))
    at.batch.traders.add(participant.did)


def act_recorded(data: msgspec.Raw, at: EventContext) -> None:
    """Note an act of the regulator that locks or unlocks a participant."""
    act = msgspec.json.decode(data, type=Act)
    at.batch.put(SET_LOCKED, (act.act == "lock", act.participant))
    at.batch.traders.add(act.participant)
