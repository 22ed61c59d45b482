"""An explanation in English, for people who read the books; the state holds numbers only."""

from __future__ import annotations

from chaincode.accounts.posting import SPREAD, Posting


def in_english(posting: Posting) -> str:
    """How the amount of a posting comes about: `10 Wh x 24400; rate 34400, ...`."""
    told = posting.explanation
    match told.rule:
        case "priced" if posting.kind == SPREAD:
            return f"{told.quantity_wh} Wh x ({told.rate} - {told.in_price})"
        case "priced":
            charged = f"{told.quantity_wh} Wh x {told.rate - told.in_price}"
            if not told.in_price:
                return charged
            return f"{charged}; rate {told.rate}, of which in price {told.in_price}"
        case "taxed":
            return f"VAT at {told.rate} ppm on {told.base_nano}"
        case "cancelled":
            return f"{told.quantity_wh} Wh cancelled"
        case "carried":
            return "what the client cannot pay, carried by its retailer"
        case "repaid":
            return "what the client pays back to its retailer"
        case "corrected":
            return f"{told.base_nano + posting.amount_nano} instead of {told.base_nano}"
