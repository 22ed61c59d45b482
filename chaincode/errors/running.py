"""Refusals of gates, runs of a slot, payments."""

from __future__ import annotations

from chaincode.errors.refusal import Refusal

# Gate, clearing, settlement
GATE_OUT_OF_ORDER = Refusal(
    "GATE_OUT_OF_ORDER",
    "Gates close in order: slot {due} is due, not {slot}.",
    "Close the gate of the slot that is due first. Any member may close it once its time has come.",
)
GATE_NOT_DUE = Refusal(
    "GATE_NOT_DUE",
    "The gate of slot {slot} closes at {gate_s}; it is {now_s}.",
    "Send it again when market time has reached the gate.",
    repeatable=True,
)
GATE_NOT_EMPTY = Refusal(
    "GATE_NOT_EMPTY",
    "Slot {slot} has orders, so it is not one of the empty slots.",
    "Close the empty slots before it, then its gate with close_gate.",
)
GATES_TOO_MANY = Refusal(
    "GATES_TOO_MANY",
    "The market rules changed more than {limit} times before slot {until_slot}.",
    "Close the empty slots in several parts: name an earlier slot first.",
)
SEED_REVEALED = Refusal(
    "SEED_REVEALED",
    "{member} has revealed its seed for slot {slot} already.",
    "You need not do anything: describe_slot shows the seed.",
)
SEED_LATE = Refusal(
    "SEED_LATE",
    "Seeds for slot {slot} were revealed until {deadline_s}; it is {now_s}.",
    "Reveal the same seed for the next slot. This slot shows that its seed was withheld.",
)
SEED_OUT_OF_ORDER = Refusal(
    "SEED_OUT_OF_ORDER",
    "Slot {due} comes before slot {slot} and awaits a seed until {deadline_s}.",
    "Reveal the seed for the earlier slot first.",
    repeatable=True,
)
SEED_WRONG = Refusal(
    "SEED_WRONG",
    "The seed for slot {slot} is not a pre-image of {tip}.",
    "Reveal the pre-image of the tip; list_seed_chains shows the tip.",
)
SEEDS_AWAITED = Refusal(
    "SEEDS_AWAITED",
    "Slot {slot} awaits {count} seeds, of {first} first, until {deadline_s}.",
    "Send it again when all seeds are revealed, or after the deadline.",
    repeatable=True,
)
SLOT_PHASE = Refusal(
    "SLOT_PHASE",
    "Slot {slot} of area {area} is {phase}; it must be {wanted}.",
    "Another member was faster, or an earlier step is missing; describe_slot shows the phase.",
)
CLEARING_OUT_OF_ORDER = Refusal(
    "CLEARING_OUT_OF_ORDER",
    "Slots clear in order: slot {due} is due, not {slot}.",
    "Clear the slot that is due first. Any member may take the next step.",
    repeatable=True,
)
NOTHING_TO_FOLD = Refusal(
    "NOTHING_TO_FOLD",
    "Area {area} has no entries to fold now.",
    "Entries are folded once a gate or a settlement has closed their epoch, and those behind a gate once its slot has cleared.",
    repeatable=True,
)
NOTHING_TO_CORRECT = Refusal(
    "NOTHING_TO_CORRECT",
    "No reading of slot {slot} is newer than the one it was settled on.",
    "Send it again when a newer reading has been recorded.",
    repeatable=True,
)
SETTLEMENT_EARLY = Refusal(
    "SETTLEMENT_EARLY",
    "Slot {slot} ends at {end_s}; it is {now_s}.",
    "Send it again when the slot is over.",
    repeatable=True,
)
READINGS_MISSING = Refusal(
    "READINGS_MISSING",
    "{count} meters have no reading for slot {slot}, {first} first; they are estimated from {deadline_s} on.",
    "Wait for the oracle's report, or until the deadline, when meters without a reading settle on an estimate.",
    repeatable=True,
)
BOOK_OPEN = Refusal(
    "BOOK_OPEN",
    "Zone {zone} has no cleared book for slot {slot}.",
    "Ask again when the slot has cleared.",
    repeatable=True,
)
TRADE_UNKNOWN = Refusal(
    "TRADE_UNKNOWN",
    "There is no trade {trade} in slot {slot} of area {area}.",
    "Take the number from list_trades.",
)
PAGE_UNKNOWN = Refusal(
    "PAGE_UNKNOWN",
    "There is no page {page}; there are {pages}.",
    "Pages count from 0.",
)

# Money
PAYMENT_EXISTS = Refusal(
    "PAYMENT_EXISTS",
    "Reference {reference} belongs to another payment.",
    "Send the same payment unchanged, or give a new payment a new reference.",
)
FUNDS_INSUFFICIENT = Refusal(
    "FUNDS_INSUFFICIENT",
    "{amount_nano} nano is more than the {available_nano} nano that is free.",
    "Enter less, or let your retailer pay in. What is reserved for trades is free again when they settle, and a payment counts once it is folded.",
)
PAYOUT_WAITS = Refusal(
    "PAYOUT_WAITS",
    "{did} has orders in slot {slot}, which is closed and not cleared yet.",
    "Send it again when the slot has cleared: its orders may still take cover.",
    repeatable=True,
)
FOLDING_BEHIND = Refusal(
    "FOLDING_BEHIND",
    "{epochs} epochs of area {area} are not folded; at most {limit} are searched for an owner's entries.",
    "Clear the slots that are due and fold the accounts; any member may.",
    repeatable=True,
)
