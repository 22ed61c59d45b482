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
    "Meter {meter} already has a reading for slot {slot}.",
    "Leave the meter out: a reading is written once. After the slot has settled, a next version is accepted if its quality is edited or substituted.",
)
REPORT_EARLY = Refusal(
    "REPORT_EARLY",
    "Slot {slot} ends at {end_s}; it is {now_s}.",
    "Send it again when the slot is over.",
    repeatable=True,
)
REPORT_LATE = Refusal(
    "REPORT_LATE",
    "Slot {slot} is {phase} and accepts no readings until that run has ended.",
    "Send the report again when the run has ended; correct_slot then settles the difference.",
    repeatable=True,
)
READING_BACKWARDS = Refusal(
    "READING_BACKWARDS",
    "A register of meter {meter} runs back in slot {slot}.",
    "Leave the meter out and have it examined.",
)
READING_GAP = Refusal(
    "READING_GAP",
    "Meter {meter} does not begin slot {slot} where it ended the one before.",
    "Registers of neighbouring slots have to meet: report the slots in between first, or leave the meter out.",
)
READING_IMPLAUSIBLE = Refusal(
    "READING_IMPLAUSIBLE",
    "Meter {meter} shows {energy_wh} Wh where it is certified for {limit_wh}.",
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
