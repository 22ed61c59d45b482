import assert from "node:assert/strict";
import { test } from "node:test";
import { calculation, kindOf, postingName } from "../../../src/features/accounts/posting_explanation.ts";
import { ENGLISH } from "../../../src/features/accounts/posting_words_en.ts";
import type { PostingExplanation } from "../../../src/transport/types.ts";

const NOTHING: PostingExplanation = {
  kind: "ENERGY",
  fee: null,
  rule: "PRICED",
  quantity: 0,
  rate: null,
  taxRate: null,
  inPrice: 0,
  base: "0",
  reference: null,
  retailer: null,
  cause: "",
};

function worded(told: Partial<PostingExplanation>, amount = 0n): string {
  return calculation({ ...NOTHING, ...told }, amount, "EUR", ENGLISH).replaceAll("\u00a0", " ");
}

test("a calculation is shown with the units that people read", () => {
  for (const [told, said] of [
    [{ quantity: 420, rate: 118_000 }, "0.42 kWh × 11.80 ct/kWh"],
    [{ quantity: 420, rate: -18_000 }, "0.42 kWh × −1.80 ct/kWh"],
    [{ kind: "SPREAD", quantity: 420, rate: 124_000, inPrice: 118_000 }, "0.42 kWh × (12.40 ct/kWh − 11.80 ct/kWh)"],
    [{ kind: "PENALTY", quantity: 300, rate: 80_000 }, "0.3 kWh × 8.00 ct/kWh"],
    [
      { kind: "FEE", fee: "grid", quantity: 130, rate: 18_000, inPrice: 6_000 },
      "0.13 kWh × 1.20 ct/kWh; the fee is 1.80 ct/kWh, of which 0.60 ct/kWh was part of the price already",
    ],
    [{ kind: "VAT", rule: "TAXED", taxRate: 190_000, base: "49560000" }, "19 % of 0.04956 EUR"],
    [{ kind: "VAT", rule: "TAXED", taxRate: 77_500, base: "-49560000" }, "7.75 % of 0.04956 EUR"],
    [{ kind: "FEE", fee: "cancel", rule: "CANCELLED", quantity: 200 }, "the fee for 0.2 kWh that the order gave up"],
    [
      { kind: "DEFAULT", rule: "CARRIED" },
      "the client could not pay this amount, so its retailer paid it and claims it back",
    ],
    [
      { kind: "REPAYMENT", rule: "REPAID", retailer: "GreenPower" },
      "the client paid back what GreenPower had paid for it",
    ],
    [
      { kind: "CREDIT", rule: "PAID", retailer: "GreenPower", reference: "invoice 7" },
      "paid outside the market, through GreenPower, reference invoice 7",
    ],
    [{ kind: "DEBIT", rule: "PAID" }, "paid outside the market"],
  ] as const) {
    assert.equal(worded(told), said);
  }
});

test("a correction names the amount after it and before it", () => {
  const told = { rule: "CORRECTED", base: "49560000", cause: "correction-1" } as const;
  assert.equal(worded(told, 10_000_000n), "+0.05956 EUR after the correction, +0.04956 EUR before it");
});

test("money beyond 2^53 stays exact", () => {
  const told = { rule: "TAXED", taxRate: 190_000, base: "9007199254740993000000001" } as const;
  assert.equal(worded(told).replaceAll("\u202f", ""), "19 % of 9007199254740993.000000001 EUR");
});

test("every kind of posting has a name and a meaning", () => {
  assert.equal(kindOf({ kind: "VAT", fee: "grid" }, ENGLISH).name, "VAT on grid fee");
  assert.equal(kindOf({ kind: "FEE", fee: "moon" }, ENGLISH).name, "Fee: moon");
  assert.equal(kindOf({ kind: "FEE", fee: "toString" }, ENGLISH).name, "Fee: toString");
  for (const kind of Object.values(ENGLISH.kinds)) assert.notEqual(kind.meaning, "", kind.name);
});

test("a payment is named after its direction", () => {
  assert.equal(postingName({ kind: "CREDIT", fee: null }, 5n, ENGLISH), "Paid in");
  assert.equal(postingName({ kind: "DEBIT", fee: null }, -5n, ENGLISH), "Paid out");
});
