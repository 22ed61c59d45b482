"""Every fault of the API that is a GraphQL error: its code and its sentence, worded here alone.

Refusals of the contract are no faults: they are answers (`TokenResult`) with the contract's codes.
Faults of the guard and of sign-in are worded where they are decided, on the same `ApiFault`.
"""

from __future__ import annotations

from typing import NamedTuple

from graphql import GraphQLError


class ApiFault(GraphQLError):
    """A fault told to the client: `code` for programs, the message for people."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence, extensions={"code": code})
        self.code = code


class Fault(NamedTuple):
    """A row of the table; called with its places it makes the fault to raise."""

    code: str
    words: str

    def __call__(self, **places: object) -> ApiFault:
        """The fault with its places filled in."""
        return ApiFault(self.code, self.words.format(**places))


UNAUTHENTICATED = Fault("UNAUTHENTICATED", "Sign in first: {what} is not for strangers.")
FORBIDDEN = Fault("FORBIDDEN", "{what} is not yours to see or do as {role}.")
NOT_FOUND = Fault("NOT_FOUND", "There is no {kind} {id}.")
ARGUMENT_RANGE = Fault("ARGUMENT_RANGE", "{name} is {value}; it must be {bound}.")
ARGUMENT_CURSOR = Fault("ARGUMENT_CURSOR", "{value!r} is no cursor of this list.")
READ_MODEL_UNAVAILABLE = Fault(
    "READ_MODEL_UNAVAILABLE",
    "The read model cannot be asked now; damaged tables are built anew. Ask again in a moment.",
)
LEDGER_UNAVAILABLE = Fault(
    "LEDGER_UNAVAILABLE",
    "The ledger takes no writes now ({reason}). Nothing was changed; reads go on.",
)
OUTCOME_UNKNOWN = Fault(
    "OUTCOME_UNKNOWN",
    "Whether transaction {transaction} is committed is not known yet. Send the same again: "
    "what was taken answers EXISTS.",
)
LEDGER_BUSY = Fault(
    "LEDGER_BUSY",
    "Others were first (attempts: {count}). Nothing was changed; send the same again.",
)
REFUSED = Fault("REFUSED", "The ledger refused this: {sentence} ({code})")
NO_ENROLMENT = Fault("NOT_FOUND", "Enrolment is for demonstrations; a retailer admits you here.")
SLOW_SUBSCRIBER = Fault(
    "SLOW_SUBSCRIBER",
    "This subscription fell {limit} changes behind and was ended; subscribe again.",
)
SUBSCRIPTIONS_TOO_MANY = Fault(
    "SUBSCRIPTIONS_TOO_MANY",
    "There are {limit} subscriptions already; try later.",
)
