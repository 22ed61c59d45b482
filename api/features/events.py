"""Every event of the ledger that the read model knows, and its handler.

The projection ignores events with other names, which belong to later contracts.
"""

from __future__ import annotations

from collections.abc import Mapping

from api.features.accounts import projection as accounts
from api.features.event_context import SlotEvent, TellingEvent
from api.features.market import projection as market
from api.features.members import projection as members
from api.features.metering import projection as metering
from api.features.oracle_health import projection as oracle_health
from api.features.orders import projection as orders
from api.features.trades import projection as trades

TELLING_EVENTS: Mapping[str, TellingEvent] = {
    "initialised": members.initialised,
    "organisation_registered": members.organisation_registered,
    "participant_registered": members.participant_registered,
    "act_recorded": members.act_recorded,
    "area_registered": market.area_registered,
    "zone_registered": market.zone_registered,
    "zone_paused": market.zone_paused,
    "zone_resumed": market.zone_resumed,
    "market_rules_set": market.market_rules_set,
    "clock_set": market.clock_set,
    "meter_registered": metering.meter_registered,
    "meter_retired": metering.meter_retired,
    "supply_begun": metering.supply_begun,
    "oracle_nodes_set": oracle_health.oracle_nodes_set,
    "oracle_node_revoked": oracle_health.oracle_node_revoked,
    "credit": accounts.paid,
    "debit": accounts.paid,
    "orders_changed": orders.orders_changed,
}
"""Events whose data says everything that changed."""

SLOT_EVENTS: Mapping[str, SlotEvent] = {
    "gate_closed": market.gate_closed,
    "seed_revealed": market.seed_revealed,
    "slot_cleared": market.slot_cleared,
    "readings_recorded": metering.readings_recorded,
    "accounts_folded": accounts.folded,
    "slot_settled": market.slot_settled,
    "slot_corrected": market.slot_corrected,
    "trade_disputed": trades.trade_disputed,
    "dispute_withdrawn": trades.dispute_withdrawn,
}
"""Events that name a slot or a page, whose handlers query the ledger; each event is alone in its batch."""
