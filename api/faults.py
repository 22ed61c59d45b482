"""Every fault of the API that is a GraphQL error: its code and its sentence.

Refusals by the contract are not faults: they are answers (`TokenResult`) with the contract's codes.
The guard and sign-in define their own faults, which are also `ApiFault`s.
"""

from __future__ import annotations

from typing import NamedTuple

from graphql import GraphQLError


class ApiFault(GraphQLError):
    """A fault told to the client: `code` for programs, message and `remedy` for people."""

    def __init__(self, code: str, sentence: str, remedy: str = "") -> None:
        told = {"code": code, "remedy": remedy} if remedy else {"code": code}
        super().__init__(sentence, extensions=told)
        self.code = code


class Fault(NamedTuple):
    """A code and its sentence; called with the sentence's values, it returns the fault to raise.

    `remedy` says what to do if the sentence does not say it.
    """

    code: str
    words: str
    remedy: str = ""

    def __call__(self, **places: object) -> ApiFault:
        """Return the fault with the values filled in."""
        return ApiFault(self.code, self.words.format(**places), self.remedy.format(**places))


UNAUTHENTICATED = Fault("UNAUTHENTICATED", "Sign in first: {what} is only for signed-in users.")
FORBIDDEN = Fault("FORBIDDEN", "The role {role} may not use {what}.")
NOT_FOUND = Fault("NOT_FOUND", "There is no {kind} {id}.")
ARGUMENT_RANGE = Fault("ARGUMENT_RANGE", "{name} is {value}; it must be {bound}.")
ARGUMENT_CURSOR = Fault("ARGUMENT_CURSOR", "{value!r} is not a cursor of this list.")
READ_MODEL_UNAVAILABLE = Fault(
    "READ_MODEL_UNAVAILABLE",
    "The read model cannot be read now; damaged tables are being rebuilt. Try again in a moment.",
)
LEDGER_UNAVAILABLE = Fault(
    "LEDGER_UNAVAILABLE",
    "The ledger takes no writes now ({reason}). Nothing was changed; reads still work.",
    "Try again in a moment.",
)
OUTCOME_UNKNOWN = Fault(
    "OUTCOME_UNKNOWN",
    "It is not known yet whether transaction {transaction} is committed. Send the same again: "
    "a token that was taken answers EXISTS.",
)
LEDGER_BUSY = Fault(
    "LEDGER_BUSY",
    "Other transactions came first (attempts: {count}). Nothing was changed; send the same again.",
)
REFUSED = Fault("REFUSED", "The ledger refused this: {sentence} ({code})", "{remedy}")
TOKEN_UNUSABLE = Fault("TOKEN_UNUSABLE", "The signed document cannot be read: {reason}")
NO_ENROLMENT = Fault(
    "NOT_FOUND", "Enrolment is only for demonstrations; in this market a retailer admits you."
)
SLOW_SUBSCRIBER = Fault(
    "SLOW_SUBSCRIBER",
    "This subscription fell {limit} changes behind and was ended; subscribe again.",
)
SUBSCRIPTIONS_TOO_MANY = Fault(
    "SUBSCRIPTIONS_TOO_MANY",
    "There are {limit} subscriptions already; try later.",
)
