"""The contract: one table of transactions that maps a name to handler, arguments and callers.

An engine serves the contract by calling `Contract.invoke`, embedded or as chaincode of a Fabric
peer. Documents, endpoints and checks are generated from the table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from chaincode.accounts import payments, statements
from chaincode.area import capacities, clock, joining, rule_changes, tariffs, zones
from chaincode.clearing import empty_slots
from chaincode.clearing.run import clear_slot
from chaincode.consortium import acts, organisations
from chaincode.consortium.organisations import CHANNEL, ORGANISATIONS, OrganisationRole
from chaincode.context import Context
from chaincode.errors import (
    ADMIN_NEEDED,
    ARGUMENTS_INVALID,
    NOT_INITIALISED,
    ORGANISATION_UNKNOWN,
    ROLE_WRONG,
    TRANSACTION_UNKNOWN,
    TRANSIENT_UNEXPECTED,
)
from chaincode.metering import certification, exchanges, last_resort, oracles, reports, supply
from chaincode.orders import clock_changes, closed_books, handlers
from chaincode.queries import market
from chaincode.queries.meters import (
    BoundaryMetersArguments,
    MetersArguments,
    MeterSlot,
    ReadingsArguments,
    describe_last_resort,
    describe_meter,
    describe_oracle,
    list_boundary_meters,
    list_metered,
    list_meters,
    list_readings,
)
from chaincode.settlement import correction, disputes
from chaincode.settlement.run import settle_slot
from chaincode.slots import draw, folding, gate
from chaincode.state import encode

NAME = "commonwatt"
VERSION = "1"
LAYOUT = 4  # the layout of rows; increase it when rows of the last layout cannot be read any more

DSO: tuple[OrganisationRole, ...] = ("dso",)
RETAILER: tuple[OrganisationRole, ...] = ("retailer",)
ORACLE: tuple[OrganisationRole, ...] = ("oracle",)
DSO_OR_ORACLE: tuple[OrganisationRole, ...] = ("dso", "oracle")
MARKET: tuple[OrganisationRole, ...] = ("dso", "retailer")
MEMBERS: tuple[OrganisationRole, ...] = ("dso", "retailer", "oracle")
EVERYBODY: tuple[OrganisationRole, ...] = ("dso", "retailer", "oracle", "regulator")


class TransactionRow(NamedTuple):
    """A row of the table.

    `callers` are the roles of organisations that may call the transaction; the list is empty for a
    transaction that is called before the channel is initialised. `admin` requires an administrator
    of the organisation. `writes` is True for a transaction and False for a query. `transient` names
    the transient data that the transaction takes; with any other it is refused, so that nobody can
    fill a transaction with data that nobody reads (rules/contract.md, 1.2).
    """

    name: str
    handler: Callable[[Context, Any], msgspec.Struct]
    arguments: type[msgspec.Struct]
    callers: tuple[OrganisationRole, ...]
    admin: bool
    writes: bool
    transient: tuple[str, ...]


def _write(
    handler: Callable[[Context, Any], msgspec.Struct],
    arguments: type[msgspec.Struct],
    callers: tuple[OrganisationRole, ...],
    *,
    admin: bool = False,
    transient: tuple[str, ...] = (),
) -> TransactionRow:
    return TransactionRow(
        handler.__name__, handler, arguments, callers, admin, writes=True, transient=transient
    )


def _read(
    handler: Callable[[Context, Any], msgspec.Struct], arguments: type[msgspec.Struct]
) -> TransactionRow:
    return TransactionRow(
        handler.__name__, handler, arguments, EVERYBODY, admin=False, writes=False, transient=()
    )


TRANSACTIONS: tuple[TransactionRow, ...] = (
    _write(organisations.initialise, organisations.InitialiseArguments, (), admin=True),
    _write(
        organisations.register_organisation, organisations.OrganisationArguments, DSO, admin=True
    ),
    _write(joining.register_participant, joining.ParticipantArguments, RETAILER),
    _write(zones.register_area, zones.AreaArguments, DSO, admin=True),
    _write(zones.register_zone, zones.ZoneArguments, DSO, admin=True),
    _write(capacities.set_zone_capacity, capacities.CapacityArguments, DSO),
    _write(zones.pause_zone, zones.PauseArguments, DSO),
    _write(zones.resume_zone, zones.PauseArguments, DSO),
    _write(draw.post_seed_chain, draw.SeedChainArguments, MARKET),
    _write(rule_changes.set_market_rules, rule_changes.RulesArguments, DSO, admin=True),
    _write(clock_changes.set_clock, clock.ClockArguments, DSO, admin=True),
    _write(tariffs.set_fees, tariffs.FeesArguments, DSO, admin=True),
    _write(tariffs.set_residual_prices, tariffs.ResidualArguments, RETAILER, admin=True),
    _write(tariffs.set_vat, tariffs.VatArguments, MARKET),
    _write(certification.register_certified_meter, certification.MeterArguments, DSO),
    _write(certification.retire_meter, certification.RetirementArguments, DSO),
    _write(supply.accept_supply, supply.SupplyArguments, RETAILER),
    _write(supply.agree_to_offtake, supply.OfftakeArguments, RETAILER),
    _write(supply.set_client_vat, supply.ClientVatArguments, RETAILER),
    _write(
        last_resort.name_supplier_of_last_resort, last_resort.LastResortArguments, DSO, admin=True
    ),
    _write(last_resort.agree_to_last_resort, last_resort.AgreementArguments, RETAILER, admin=True),
    _write(last_resort.assign_supplier_of_last_resort, last_resort.AssignmentArguments, DSO),
    _write(oracles.appoint_oracle, oracles.AppointmentArguments, DSO, admin=True),
    _write(oracles.set_oracle_nodes, oracles.OracleArguments, ORACLE, admin=True),
    _write(oracles.revoke_oracle_node, oracles.RevocationArguments, DSO_OR_ORACLE, admin=True),
    _write(acts.record_act, acts.ActArguments, MEMBERS),
    _write(payments.credit_client, payments.PaymentArguments, RETAILER),
    _write(closed_books.debit_client, payments.PayoutArguments, RETAILER),
    _write(handlers.place_orders, handlers.TokensArguments, MARKET),
    _write(handlers.amend_orders, handlers.TokensArguments, MARKET),
    _write(handlers.cancel_orders, handlers.TokensArguments, MARKET),
    _write(gate.close_gate, gate.SlotArguments, MEMBERS),
    _write(empty_slots.close_empty_gates, empty_slots.EmptyGatesArguments, MEMBERS),
    _write(draw.reveal_seed, draw.SeedArguments, MARKET),
    _write(folding.fold_accounts, zones.AreaName, MEMBERS),
    _write(clear_slot, gate.SlotArguments, MEMBERS),
    _write(
        reports.record_readings,
        reports.ReportArguments,
        ORACLE,
        transient=(reports.TRANSIENT_LEAVES,),
    ),
    _write(
        reports.record_validated_readings,
        reports.ValidatedArguments,
        DSO,
        transient=(reports.TRANSIENT_LEAVES,),
    ),
    _write(
        exchanges.exchange_meter,
        exchanges.ExchangeArguments,
        DSO,
        transient=(exchanges.TRANSIENT_EXCHANGE,),
    ),
    _write(settle_slot, gate.SlotArguments, MEMBERS),
    _write(correction.correct_slot, gate.SlotArguments, MEMBERS),
    _write(disputes.dispute_trade, disputes.DisputeArguments, MEMBERS),
    _read(market.describe_area, zones.AreaName),
    _read(market.get_market_rules, gate.SlotArguments),
    _read(market.list_seed_chains, gate.SlotArguments),
    _read(market.describe_slot, gate.SlotArguments),
    _read(market.list_open_orders, gate.SlotArguments),
    _read(market.get_book, market.BookArguments),
    _read(market.list_trades, gate.SlotArguments),
    _read(market.list_postings, gate.PageArguments),
    _read(market.list_orders, market.TraderArguments),
    _read(list_meters, MetersArguments),
    _read(list_boundary_meters, BoundaryMetersArguments),
    _read(describe_meter, MeterSlot),
    _read(describe_last_resort, gate.SlotArguments),
    _read(describe_oracle, gate.SlotArguments),
    _read(list_readings, ReadingsArguments),
    _read(list_metered, gate.PageArguments),
    _read(correction.list_causes, gate.PageArguments),
    _read(statements.describe_account, statements.OwnerArguments),
    _read(statements.list_entries, statements.EntriesArguments),
    _read(statements.list_claims, statements.ClaimsArguments),
    _read(statements.list_fold_postings, statements.FoldPageArguments),
    _read(statements.sum_accounts, statements.SumArguments),
)

_BY_NAME = {transaction.name: transaction for transaction in TRANSACTIONS}
_DECODERS = {
    transaction.name: msgspec.json.Decoder(transaction.arguments) for transaction in TRANSACTIONS
}


class Contract:
    """The contract in the form that an engine serves."""

    name = NAME
    version = VERSION
    layout = LAYOUT

    def is_write(self, name: str) -> bool:
        """Whether transaction `name` writes; an unknown name is refused."""
        return _named(name).writes

    def counts_in_state_hash(self, key: str) -> bool:
        """Whether a public row is part of the state hash; only the clock rules are not."""
        return not key.startswith(clock.CLOCKS.key(""))

    def invoke(self, context: Context, name: str, arguments: bytes) -> bytes:
        """Carry out transaction `name` and answer in canonical JSON.

        Raises `Refused`; the engine must then write nothing.
        """
        transaction = _named(name)
        for entry in sorted(context.transient):
            if entry not in transaction.transient:
                raise TRANSIENT_UNEXPECTED(name=name, entry=entry)
        try:
            read = _DECODERS[name].decode(arguments)
        except msgspec.DecodeError as error:
            raise ARGUMENTS_INVALID(name=name, reason=error) from None
        _check_caller(context, transaction)
        return encode(transaction.handler(context, read))


def _named(name: str) -> TransactionRow:
    transaction = _BY_NAME.get(name)
    if transaction is None:
        raise TRANSACTION_UNKNOWN(name=name)
    return transaction


def _check_caller(context: Context, transaction: TransactionRow) -> None:
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
