// What became of a token, and what a person can do about a refusal of the contract; the sentence itself is the contract's.

const TAKEN = new Set(["PLACED", "AMENDED", "CANCELLED", "EXISTS"]);

/** Whether the contract carried a token out; a refusal names the orders of its sheet as well. */
export function isTaken(result: { readonly code: string } | null): boolean {
  return result !== null && TAKEN.has(result.code);
}

const MENDS: Readonly<Record<string, string>> = {
  GATE_CLOSED: "The gate closed meanwhile. Choose a later slot.",
  SLOT_NOT_OPEN: "Choose one of the slots that are offered; this one opens later.",
  ZONE_PAUSED: "The grid operator has paused the zone. Try again when it is open.",
  TRADER_UNKNOWN: "Join the market first.",
  TRADER_LOCKED: "Ask your retailer why the account is locked.",
  METER_NOT_HELD: "Choose a meter of your own.",
  METER_UNKNOWN: "The meter is certified from a later slot on. Choose a later slot.",
  ORDERS_TOO_MANY: "Withdraw an order of this slot, or change one.",
  QUANTITY_BOUNDS: "Enter at least 0.001 kWh.",
  PRICE_BAND: "Choose a price within the band that is shown below the field.",
  CAPACITY_EXCEEDED: "Enter less, or withdraw another order of the same slot.",
  SELF_CROSSING: "Your own orders would trade with each other. Choose another price or withdraw the other one.",
  ORDER_NOT_OPEN: "The order has ended; place a new one.",
  REVISION_WRONG: "The order was changed elsewhere. Look at it again, then change it.",
  AMENDED_ALREADY: "The order was changed elsewhere. Look at it again, then change it.",
  FUNDS_INSUFFICIENT: "Enter less, or let your retailer pay in.",
  SIGNATURE_INVALID: "The browser's key does not fit. Open the wallet page and import the key again.",
  LEDGER_UNAVAILABLE: "What you typed is kept. Try again in a moment.",
};

/** What to do, or an empty text where only the sentence helps. */
export function mend(code: string): string {
  return MENDS[code] ?? "";
}
