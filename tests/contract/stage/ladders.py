"""Requests that are wrong in every way, and one repair after the other.

A ladder is one request. On every rung the fault named there is the one that is told, although all
the faults below it are there too; then it is repaired, and nothing has changed in the state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec

from chaincode.accounts.payments import PayoutArguments
from chaincode.area.intents import HOLD_TYP, JOIN_TYP, PAYOUT_TYP
from chaincode.area.joining import ParticipantArguments
from chaincode.consortium.acts import ACT_TYP, ActArguments
from chaincode.errors import Refused
from chaincode.metering.exchanges import TRANSIENT_EXCHANGE, ExchangeRegisters
from chaincode.metering.oracles import configuration_digest
from chaincode.metering.reports import (
    REPORT_TYP,
    TRANSIENT_LEAVES,
    ReportArguments,
    leaf_bytes,
    merkle_root,
)
from chaincode.metering.supply import SUPPLY_TYP, SupplyArguments
from chaincode.orders.sheets import AMEND_TYP, CANCEL_TYP, SHEET_TYP
from chaincode.settlement.disputes import DISPUTE_TYP, DisputeArguments
from identity.canonical import encode
from identity.jws import sign_compact
from tests.contract.stage.cast import AREA, DSO, R1, did_of, key_of
from tests.contract.stage.market import Market
from tests.contract.stage.tokens import VALID_UNTIL_S

OWN = "(own)"
"""Stands for the name of the contract that the scenario runs on."""

Fields: TypeAlias = dict[str, Any]
"""Parts of a request by name; what it is told with besides its arguments is in capitals."""

Attempt: TypeAlias = Callable[[Market, Fields], str]
"""Sends a request; the code that it is refused with, empty where it is taken."""

Rung: TypeAlias = tuple[str, Fields]
"""The code that is told, and the parts that repair the fault."""


class Ladder(NamedTuple):
    """One request from its first fault to where it is taken."""

    name: str
    attempt: Attempt
    first: Fields
    rungs: Sequence[Rung]


def refused(act: Callable[[], object]) -> str:
    """The code that `act` is refused with, empty where it is taken."""
    try:
        act()
    except Refused as refusal:
        return refusal.code
    return ""


def struct_of(fields: Mapping[str, Any]) -> msgspec.Struct:
    """Arguments with these members, whatever they hold."""
    kind = msgspec.defstruct("Anything", list(fields))
    return kind(**fields)


def submitting(name: str) -> Attempt:
    """Submits transaction `name`; MEMBER and ADMIN say who does."""

    def attempt(market: Market, fields: Fields) -> str:
        arguments = {key: value for key, value in fields.items() if key.islower()}
        member, admin = fields.get("MEMBER", DSO), fields.get("ADMIN", False)
        return refused(lambda: market.submit(name, struct_of(arguments), member, admin=admin))

    return attempt


def joining(market: Market, fields: Fields) -> str:
    """Registers what WHO has signed."""
    arguments = ParticipantArguments(token_of(market, JOIN_TYP, {"area": AREA} | fields))
    member = fields.get("MEMBER", R1)
    return refused(lambda: market.submit("register_participant", arguments, member))


def paying_out(market: Market, fields: Fields) -> str:
    """Pays out what WHO has signed."""
    arguments = PayoutArguments(token_of(market, PAYOUT_TYP, fields))
    member = fields.get("MEMBER", R1)
    return refused(lambda: market.submit("debit_client", arguments, member))


def certifying(market: Market, fields: Fields) -> str:
    """Certifies a meter with the hold that HOLD says: who signs which meter, until when."""
    arguments = {key: value for key, value in fields.items() if key.islower()}
    if fields.get("HOLD") is not None:
        who, meter, until_s = fields["HOLD"]
        named = {"WHO": who, "area": AREA, "meter": meter, "valid_until_s": until_s}
        arguments["hold"] = token_of(market, HOLD_TYP, named)
    member = fields.get("MEMBER", DSO)
    return refused(lambda: market.submit("register_certified_meter", struct_of(arguments), member))


def asking(name: str) -> Attempt:
    """Evaluates query `name`."""
    return lambda market, fields: refused(lambda: market.ask(name, struct_of(fields), object))


def token_of(market: Market, typ: str, fields: Mapping[str, Any]) -> str:
    """A token over the fields in small letters, signed by WHO; FORGED takes another's signature."""
    if fields.get("TEXT") is not None:
        return str(fields["TEXT"])
    payload = {
        "channel": market.ledger.channel,
        "contract": market.ledger.contract,
        "v": 1,
    } | {key: value for key, value in fields.items() if key.islower() and value != OWN}
    token = sign_compact(key_of(fields["WHO"]), typ, encode(payload))
    if fields.get("FORGED"):
        other = sign_compact(key_of(fields["WHO"]), typ, encode(payload | {"v": 2}))
        return token.rpartition(".")[0] + "." + other.rpartition(".")[2]
    return token


def sheet(market: Market, fields: Fields) -> str:
    """Places one sheet of IDS orders that are alike."""
    parts = dict(fields)
    orders = [
        {"id": name, "side": parts["SIDE"], "slot": parts["SLOT"], "steps": parts["STEPS"]}
        | ({"expires_s": parts["EXPIRES"]} if parts.get("EXPIRES") is not None else {})
        for name in parts["IDS"]
    ]
    until_s = market.gate_s(parts["SLOT"])
    signed = {"area": AREA, "valid_until_s": until_s} | parts | {"orders": orders}
    token = token_of(market, SHEET_TYP, signed)
    (code,) = market.codes([token])
    return "" if code in ("PLACED", "EXISTS") else code


def changing(name: str) -> Attempt:
    """Amends or cancels one order."""
    typ = AMEND_TYP if name == "amend_orders" else CANCEL_TYP

    def attempt(market: Market, fields: Fields) -> str:
        until_s = market.gate_s(fields["slot"])
        token = token_of(market, typ, {"area": AREA, "valid_until_s": until_s} | fields)
        (code,) = market.codes([token], name=name)
        return "" if code in ("AMENDED", "CANCELLED") else code

    return attempt


def act(market: Market, fields: Fields) -> str:
    """Records one act; ABOUT is the participant's name."""
    about = {"participant": did_of(fields["ABOUT"]), "reason": ""}
    token = token_of(market, ACT_TYP, about | fields)
    return refused(lambda: market.submit("record_act", ActArguments(token)))


def dispute(market: Market, fields: Fields) -> str:
    """Raises or withdraws one dispute."""
    named = {"area": AREA, "reason": "", "valid_until_s": VALID_UNTIL_S}
    token = token_of(market, DISPUTE_TYP, named | fields)
    return refused(lambda: market.submit("dispute_trade", DisputeArguments(token)))


def supply(market: Market, fields: Fields) -> str:
    """Accepts the supply of a meter, as WHO has agreed; MEMBER carries the document."""
    token = token_of(market, SUPPLY_TYP, fields)
    arguments = SupplyArguments(token)
    return refused(lambda: market.submit("accept_supply", arguments, fields["MEMBER"]))


def report(market: Market, fields: Fields) -> str:
    """Reports LEAVES signed by SIGNERS; COUNT, ROOT, DATA and OTHER falsify what belongs to them."""
    leaves = fields["LEAVES"]
    payload = {
        "configuration": fields["CONFIGURATION"] or configuration_digest(market.oracle),
        "count": fields["COUNT"] or len(leaves),
        "root": fields["ROOT"] or merkle_root([leaf_bytes(leaf) for leaf in leaves]),
    } | {key: value for key, value in fields.items() if key.islower()}
    tokens = [
        token_of(market, REPORT_TYP, fields | payload | {"WHO": signer})
        for signer in fields["SIGNERS"]
    ]
    if fields["OTHER"]:
        tokens[-1] = token_of(market, REPORT_TYP, payload | {"count": 9, "WHO": "oracle 2"})
    data = encode(list(leaves)) if fields["DATA"] is None else fields["DATA"]
    transient = {TRANSIENT_LEAVES: data} if data else {}
    arguments = ReportArguments(tokens)
    return refused(
        lambda: market.submit("record_readings", arguments, "Oracle", transient=transient)
    )


def validate(market: Market, fields: Fields) -> str:
    """Records LEAVES that MEMBER has validated; COUNT, ROOT and DATA falsify what belongs to them."""
    leaves = fields["LEAVES"]
    arguments = {
        "count": fields["COUNT"] or len(leaves),
        "root": fields["ROOT"] or merkle_root([leaf_bytes(leaf) for leaf in leaves]),
    } | {key: value for key, value in fields.items() if key.islower()}
    data = encode(list(leaves)) if fields["DATA"] is None else fields["DATA"]
    return _with_transient(
        market, "record_validated_readings", arguments, {TRANSIENT_LEAVES: data}, fields["MEMBER"]
    )


def exchange(market: Market, fields: Fields) -> str:
    """Records an exchange of a meter; DATA falsifies its registers."""
    arguments = {key: value for key, value in fields.items() if key.islower()}
    registers = ExchangeRegisters(0, None, 0, 0, None, 0, "ab" * 32)
    data = encode(registers) if fields["DATA"] is None else fields["DATA"]
    return _with_transient(
        market, "exchange_meter", arguments, {TRANSIENT_EXCHANGE: data}, fields["MEMBER"]
    )


def _with_transient(
    market: Market, name: str, arguments: Fields, data: Mapping[str, bytes], member: str
) -> str:
    transient = {key: value for key, value in data.items() if value}
    return refused(lambda: market.submit(name, struct_of(arguments), member, transient=transient))
