// What a person can do about a refusal of the contract. The contract itself words what went wrong.

const ADVICE: Readonly<Record<string, string>> = {
  GATE_CLOSED: "The gate has closed in the meantime. Choose a later slot.",
  SLOT_NOT_OPEN: "This slot does not take orders yet. Choose one of the slots in the list.",
  ZONE_PAUSED: "The grid operator has paused your zone. Try again when it is open.",
  TRADER_UNKNOWN: "Join the market first.",
  TRADER_LOCKED: "Ask your retailer why your account is locked.",
  METER_NOT_HELD: "Choose one of your own meters.",
  METER_UNKNOWN: "Your meter is certified from a later slot on. Choose a later slot.",
  ORDERS_TOO_MANY: "Withdraw or change one of your orders for this slot.",
  QUANTITY_BOUNDS: "Enter at least 0.001 kWh.",
  PRICE_BAND: "Enter a price within the limits that stand below the field.",
  CAPACITY_EXCEEDED: "Enter less, or withdraw another order for the same slot.",
  SELF_CROSSING: "Your own orders would trade with each other. Choose another price, or withdraw the other order.",
  ORDER_NOT_OPEN: "This order can no longer be changed. Place a new one.",
  REVISION_WRONG: "The order was changed elsewhere. Read it again before you change it.",
  AMENDED_ALREADY: "The order was changed elsewhere. Read it again before you change it.",
  FUNDS_INSUFFICIENT: "Enter less, or ask your retailer how to pay money in.",
  SIGNATURE_INVALID: "The key of this browser does not match. Open the Wallet page and import your wallet file again.",
  LEDGER_UNAVAILABLE: "The page keeps what you typed. Try again in a moment.",
};

/** What to do; an empty text for a refusal without advice. */
export function adviceOn(code: string): string {
  return ADVICE[code] ?? "";
}
