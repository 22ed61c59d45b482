"""The contract: one table of transactions, name -> handler, arguments, who may call.

Whoever serves the contract, embedded or as chaincode of a Fabric peer, calls `Contract.invoke`.
The table is what documents, endpoints and checks are generated from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from chaincode.accounts import balances
from chaincode.area import clock, tariffs, zones
from chaincode.area import rules as market_rules
from chaincode.clearing import run as clearing
from chaincode.consortium import acts, registry
from chaincode.consortium.registry import CHANNEL, ORGANISATIONS, OrganisationRole
from chaincode.context import Context
from chaincode.errors import (
    ADMIN_NEEDED,
    ARGUMENTS_INVALID,
    NOT_INITIALISED,
    ORGANISATION_UNKNOWN,
    ROLE_WRONG,
    TRANSACTION_UNKNOWN,
)
from chaincode.metering import meters
from chaincode.metering import reports as readings
from chaincode.orders import handlers as orders
from chaincode.queries import market as queries
from chaincode.queries import meters as meter_queries
from chaincode.settlement import correction, disputes
from chaincode.settlement import run as settlement
from chaincode.slots import gate as slots
from chaincode.state import encode

NAME = "commonwatt"
VERSION = "1"

DSO: tuple[OrganisationRole, ...] = ("dso",)
RETAILER: tuple[OrganisationRole, ...] = ("retailer",)
ORACLE: tuple[OrganisationRole, ...] = ("oracle",)
MARKET: tuple[OrganisationRole, ...] = ("dso", "retailer")
MEMBERS: tuple[OrganisationRole, ...] = ("dso", "retailer", "oracle")
EVERYBODY: tuple[OrganisationRole, ...] = ("dso", "retailer", "oracle", "regulator")


class Transaction(NamedTuple):
    """A row of the table.

    `callers` are the roles of organisations that may call it, none before the channel is
    initialised; `admin` asks for an administrator of the organisation; `writes` tells a
    transaction from a query.
    """

    name: str
    handler: Callable[[Context, Any], msgspec.Struct]
    arguments: type[msgspec.Struct]
    callers: tuple[OrganisationRole, ...]
    admin: bool
    writes: bool


def _write(
    handler: Callable[[Context, Any], msgspec.Struct],
    arguments: type[msgspec.Struct],
    callers: tuple[OrganisationRole, ...],
    *,
    admin: bool = False,
) -> Transaction:
    return Transaction(handler.__name__, handler, arguments, callers, admin, writes=True)


def _read(
    handler: Callable[[Context, Any], msgspec.Struct], arguments: type[msgspec.Struct]
) -> Transaction:
    return Transaction(handler.__name__, handler, arguments, EVERYBODY, admin=False, writes=False)


TRANSACTIONS: tuple[Transaction, ...] = (
    _write(registry.initialise, registry.InitialiseArguments, (), admin=True),
    _write(registry.register_organisation, registry.OrganisationArguments, DSO, admin=True),
    _write(registry.register_participant, registry.ParticipantArguments, RETAILER),
    _write(zones.register_area, zones.AreaArguments, DSO, admin=True),
    _write(zones.register_zone, zones.ZoneArguments, DSO, admin=True),
    _write(zones.set_zone_capacity, zones.CapacityArguments, DSO),
    _write(zones.pause_zone, zones.PauseArguments, DSO),
    _write(zones.resume_zone, zones.PauseArguments, DSO),
    _write(slots.post_seed_anchor, slots.SeedArguments, DSO),
    _write(market_rules.set_market_rules, market_rules.RulesArguments, DSO, admin=True),
    _write(clock.set_clock, clock.ClockArguments, DSO, admin=True),
    _write(tariffs.set_fees, tariffs.FeesArguments, DSO, admin=True),
    _write(tariffs.set_residual_prices, tariffs.ResidualArguments, RETAILER, admin=True),
    _write(tariffs.set_vat, tariffs.VatArguments, MARKET),
    _write(meters.register_certified_meter, meters.MeterArguments, DSO),
    _write(readings.set_oracle_nodes, readings.OracleArguments, ORACLE, admin=True),
    _write(acts.record_act, acts.ActArguments, MEMBERS),
    _write(balances.credit_client, balances.PaymentArguments, RETAILER),
    _write(balances.debit_client, balances.PaymentArguments, RETAILER),
    _write(orders.place_orders, orders.TokensArguments, MARKET),
    _write(orders.amend_orders, orders.TokensArguments, MARKET),
    _write(orders.cancel_orders, orders.TokensArguments, MARKET),
    _write(slots.close_gate, slots.GateArguments, MEMBERS),
    _write(clearing.clear_slot, slots.SlotArguments, MEMBERS),
    _write(readings.record_readings, readings.ReportArguments, ORACLE),
    _write(settlement.settle_slot, slots.SlotArguments, MEMBERS),
    _write(correction.correct_slot, slots.SlotArguments, MEMBERS),
    _write(disputes.dispute_trade, disputes.DisputeArguments, MEMBERS),
    _read(queries.describe_area, zones.AreaName),
    _read(queries.get_market_rules, slots.SlotArguments),
    _read(queries.get_seed_chain, slots.SlotArguments),
    _read(queries.describe_slot, slots.SlotArguments),
    _read(queries.list_open_orders, slots.SlotArguments),
    _read(queries.get_book, queries.BookArguments),
    _read(queries.list_trades, slots.SlotArguments),
    _read(queries.list_postings, queries.PageArguments),
    _read(queries.list_orders, queries.TraderArguments),
    _read(meter_queries.list_meters, meter_queries.MetersArguments),
    _read(meter_queries.list_readings, meter_queries.ReadingsArguments),
    _read(meter_queries.list_metered, queries.PageArguments),
    _read(correction.list_causes, queries.PageArguments),
    _read(balances.get_account, balances.OwnerArguments),
    _read(balances.sum_accounts, zones.AreaName),
)

_BY_NAME = {transaction.name: transaction for transaction in TRANSACTIONS}
_DECODERS = {
    transaction.name: msgspec.json.Decoder(transaction.arguments) for transaction in TRANSACTIONS
}


class Contract:
    """The contract as an engine serves it."""

    name = NAME
    version = VERSION

    def is_write(self, name: str) -> bool:
        """Whether transaction `name` writes; refuses an unknown one."""
        return _named(name).writes

    def counts_in_state_hash(self, key: str) -> bool:
        """Whether a public row is part of the state hash: all are but the clock rules."""
        return not key.startswith(clock.CLOCKS.key(""))

    def invoke(self, context: Context, name: str, arguments: bytes) -> bytes:
        """Carry out transaction `name` and answer in canonical JSON.

        Raises `Refused`; then nothing is to be written.
        """
        transaction = _named(name)
        try:
            read = _DECODERS[name].decode(arguments)
        except msgspec.DecodeError as error:
            raise ARGUMENTS_INVALID(name=name, reason=error) from None
        _check_caller(context, transaction)
        return encode(transaction.handler(context, read))


def _named(name: str) -> Transaction:
    transaction = _BY_NAME.get(name)
    if transaction is None:
        raise TRANSACTION_UNKNOWN(name=name)
    return transaction


def _check_caller(context: Context, transaction: Transaction) -> None:
    caller = context.caller
    if transaction.callers:
        organisation = ORGANISATIONS.get(context, caller.member)
        if organisation is None:
            if CHANNEL.get(context) is None:
                raise NOT_INITIALISED(channel=context.channel)
            raise ORGANISATION_UNKNOWN(name=caller.member)
        if organisation.role not in transaction.callers:
            raise ROLE_WRONG(member=caller.member, role=" or ".join(transaction.callers))
    if transaction.admin and caller.role != "admin":
        raise ADMIN_NEEDED(name=transaction.name, member=caller.member)
