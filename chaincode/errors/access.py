"""Refusals of a transaction that is unknown, too large, or not for this caller."""

from __future__ import annotations

from chaincode.errors.refusal import Refusal

# Reaching a transaction
TRANSACTION_UNKNOWN = Refusal(
    "TRANSACTION_UNKNOWN",
    "There is no transaction {name!r}.",
    "Take the name from the list of transactions; upper and lower case matter.",
)
ARGUMENTS_INVALID = Refusal(
    "ARGUMENTS_INVALID",
    "The arguments of {name} cannot be read: {reason}.",
    "The reason names the field and what was expected there; unknown fields are refused too.",
)
TRANSIENT_UNEXPECTED = Refusal(
    "TRANSIENT_UNEXPECTED",
    "{name} takes no transient data named {entry!r}.",
    "Send the transaction without it: only reports of registers and exchange_meter take transient data, one entry each.",
)
BYTES_TOO_MANY = Refusal(
    "BYTES_TOO_MANY",
    "The transaction holds {count} bytes; at most {limit} are accepted.",
    "Send less in one transaction: smaller batches, or a report over fewer meters.",
)
NOT_INITIALISED = Refusal(
    "NOT_INITIALISED",
    "The contract on channel {channel} has not been initialised.",
    "An administrator of a DSO has to call initialise once on this channel.",
)
ORGANISATION_UNKNOWN = Refusal(
    "ORGANISATION_UNKNOWN",
    "{name} is not an organisation of this channel.",
    "Spell the member as it was registered, or have a DSO call register_organisation.",
)
ROLE_WRONG = Refusal(
    "ROLE_WRONG",
    "This needs a {role}, and {member} is not one.",
    "Submit through a member of that role, or name an organisation that has it.",
)
ADMIN_NEEDED = Refusal(
    "ADMIN_NEEDED",
    "Only an administrator of {member} may submit {name}; a client may not.",
    "Submit with an administrator's identity of the member.",
)
READS_TOO_MANY = Refusal(
    "READS_TOO_MANY",
    "The transaction reads {count} rows; at most {limit} are allowed.",
    "Ask for less at once. Clearing and settlement stop before this limit by themselves.",
)
WRITES_TOO_MANY = Refusal(
    "WRITES_TOO_MANY",
    "The transaction writes {count} keys; at most {limit} are allowed.",
    "Send smaller batches. Clearing and settlement stop before this limit by themselves.",
)
READ_ONLY = Refusal(
    "READ_ONLY",
    "Transaction {transaction} was evaluated, and an evaluation may not write.",
    "Submit the transaction instead of evaluating it.",
)
WRITE_AFTER_PAGE = Refusal(
    "WRITE_AFTER_PAGE",
    "A transaction that has read a page of a query may not write.",
    "Read pages in a separate query. A page is not checked for phantoms, so no write may depend on it.",
)
PRIVATE_RANGE = Refusal(
    "PRIVATE_RANGE",
    "Private values of {collection} are read by exact key, not from {start!r} to {end!r}.",
    "Read private values by key; the meters of an area are listed in the public state.",
)
