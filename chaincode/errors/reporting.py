"""Refusals of oracle reports, the regulator's acts, disputes."""

from __future__ import annotations

from chaincode.errors.refusal import Refusal

# Readings
REPORTS_DIFFER = Refusal(
    "REPORTS_DIFFER",
    "The signed tokens do not all carry the same report.",
    "All nodes have to sign the same payload, byte by byte. Let them agree first.",
)
ORACLE_CONFIGURATION = Refusal(
    "ORACLE_CONFIGURATION",
    "The report names another oracle set than area {area} has for slot {slot}.",
    "The nodes have to use the oracle set that holds for the slot, and sign again.",
)
SIGNER_UNKNOWN = Refusal(
    "SIGNER_UNKNOWN",
    "{did} is not an authorised signer here.",
    "Leave this signature out, or have the node named in the oracle set. Only the regulator signs acts.",
)
SIGNER_REVOKED = Refusal(
    "SIGNER_REVOKED",
    "{did} is revoked from {from_s} on: its signature counts for no slot.",
    "Leave this signature out. A revoked node gets a new key before it is named again.",
)
SIGNER_REPEATED = Refusal(
    "SIGNER_REPEATED",
    "{did} appears twice among the signers.",
    "Leave the second one out: a signer counts once.",
)
SIGNATURES_FEW = Refusal(
    "SIGNATURES_FEW",
    "The report has {count} signatures; {needed} are needed.",
    "Gather the signatures of more nodes.",
)
LEAVES_MISSING = Refusal(
    "LEAVES_MISSING",
    "The transient data has no entry {name!r}.",
    "Send the leaves as transient data under that name.",
)
LEAVES_UNREADABLE = Refusal(
    "LEAVES_UNREADABLE",
    "The leaves cannot be read: {reason}",
    "Send a list of leaves in canonical JSON.",
)
LEAVES_COUNT = Refusal(
    "LEAVES_COUNT",
    "There are {count} leaves where the report names {named}; 1 to {limit} are accepted.",
    "Send exactly the leaves under the root. Split a report over more meters into several reports.",
)
LEAVES_ORDER = Refusal(
    "LEAVES_ORDER",
    "Meter {meter} does not come after {before}.",
    "Sort the leaves by meter, each once, before the root is made.",
)
REPORT_ROOT = Refusal(
    "REPORT_ROOT",
    "The leaves have root {root}; the report names {named}.",
    "Send the leaves that were signed, unchanged.",
)
READING_REPEATED = Refusal(
    "READING_REPEATED",
    "Meter {meter} already has another reading at {boundary}.",
    "Leave the meter out: a reading is written once. The DSO may validate other registers (record_validated_readings).",
)
REPORT_EARLY = Refusal(
    "REPORT_EARLY",
    "The boundary is at {boundary}; it is {now_s}.",
    "Send it again when the boundary has come.",
    repeatable=True,
)
SLOT_FINAL = Refusal(
    "SLOT_FINAL",
    "Slot {slot} has been final since {final_s}; nothing of it changes any more.",
    "Settle what is still wrong outside the ledger.",
)
EXCHANGE_EXISTS = Refusal(
    "EXCHANGE_EXISTS",
    "Another exchange of meter {meter} is recorded in slot {slot}.",
    "Record each exchange once, with the registers that the fitter noted.",
)
EXCHANGES_TOO_MANY = Refusal(
    "EXCHANGES_TOO_MANY",
    "Meter {meter} has had {limit} exchanges within its final deadline.",
    "Retire the meter and certify a new one under another name.",
)
READING_PURGED = Refusal(
    "READING_PURGED",
    "The reading of meter {meter} at {boundary} was purged.",
    "A purged reading is never estimated. Restore the peer's private data from another member's peer.",
)
READING_BACKWARDS = Refusal(
    "READING_BACKWARDS",
    "A register of meter {meter} at {boundary} lies below one before it or above one after it.",
    "Leave the meter out and have it examined. If its device was replaced, the DSO has to record that (exchange_meter).",
)
LEAF_BOUNDARY = Refusal(
    "LEAF_BOUNDARY",
    "The leaf of meter {meter} is for {boundary}; the report is for {named}.",
    "Put only leaves of the report's boundary under its root.",
)
READING_IMPLAUSIBLE = Refusal(
    "READING_IMPLAUSIBLE",
    "Meter {meter} moved by {energy_wh} Wh where it is certified for {limit_wh} Wh.",
    "Leave the meter out and have it examined, or have the DSO certify its true power.",
)

# Acts and disputes
ACT_SEQUENCE = Refusal(
    "ACT_SEQUENCE",
    "Act {sequence} is not due; {due} is.",
    "Submit the acts in the order of their numbers; one in between is missing.",
)
NOT_PARTY = Refusal(
    "NOT_PARTY",
    "{did} is not a party to trade {trade}.",
    "Only the seller and the buyer of a trade may dispute it.",
)
DISPUTE_EXISTS = Refusal(
    "DISPUTE_EXISTS",
    "{by} has disputed trade {trade} already.",
    "You need not do anything. A party disputes a trade once; what it has withdrawn it cannot raise again.",
)
DISPUTE_LATE = Refusal(
    "DISPUTE_LATE",
    "Trades of slot {slot} could be disputed until {until_s}; it is {now_s}.",
    "The time for disputes of this slot is over. Talk to your retailer.",
)
DISPUTE_NOT_OPEN = Refusal(
    "DISPUTE_NOT_OPEN",
    "{by} has not disputed trade {trade}.",
    "Only the party that raised a dispute may withdraw it.",
)
