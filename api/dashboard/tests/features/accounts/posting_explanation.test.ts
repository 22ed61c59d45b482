import assert from "node:assert/strict";
import { test } from "node:test";
import { explanationOf } from "../../../src/features/accounts/explained_text.ts";
import { calculation, kindOf, postingName } from "../../../src/features/accounts/posting_explanation.ts";
import { ENGLISH } from "../../../src/features/accounts/posting_words_en.ts";

const plain = (text: string) => text.replaceAll("\u00a0", " ");

function worded(explain: string, amount = "0", kind = "energy"): string {
  return plain(calculation({ kind, amount }, explanationOf({ explain }), "EUR", ENGLISH));
}

test("a calculation is shown with the units that people read", () => {
  for (const [explain, said] of [
    ["420 Wh x 118000", "0.42 kWh × 11.80 ct/kWh"],
    [
      "130 Wh x 12000; rate 18000, of which in price 6000",
      "0.13 kWh × 1.20 ct/kWh; the fee is 1.80 ct/kWh, of which 0.60 ct/kWh was part of the price already",
    ],
    ["VAT at 190000 ppm on 49560000", "19 % of 0.04956 EUR"],
    ["VAT at 77500 ppm on -49560000", "7.75 % of 0.04956 EUR"],
    ["200 Wh cancelled", "the fee for 0.2 kWh that the order gave up"],
    ["what the client cannot pay, carried by its retailer", "the client could not pay this amount, so its retailer carries it"],
    ["", "This amount was posted as it is."],
    ["something else", "This amount was posted as it is."],
  ] as const) {
    assert.equal(worded(explain), said);
  }
  assert.equal(worded("420 Wh x (124000 - 118000)", "0", "spread"), "0.42 kWh × (12.40 ct/kWh − 11.80 ct/kWh)");
});

test("a correction names the amount after it and before it", () => {
  assert.equal(worded("59560000 instead of 49560000", "10000000"), "+0.05956 EUR after the correction, +0.04956 EUR before it");
});

test("money beyond 2^53 stays exact", () => {
  assert.equal(worded("VAT at 190000 ppm on 9007199254740993000000001"), "19 % of 9 007 199 254 740 993.000000001 EUR".replaceAll(/(?<=\d) (?=\d)/g, "\u202f"));
});

test("every kind of posting has a name and a meaning", () => {
  assert.equal(kindOf("vat:grid", ENGLISH).name, "VAT on grid fee");
  assert.equal(kindOf("fee:moon", ENGLISH).name, "Fee: moon");
  assert.deepEqual(kindOf("toString", ENGLISH), { name: "toString", meaning: "" });
  for (const kind of Object.keys(ENGLISH.kinds)) assert.notEqual(kindOf(kind, ENGLISH).meaning, "", kind);
});

test("a payment is named after its direction", () => {
  assert.equal(postingName("credit", 5n, ENGLISH), "Paid in");
  assert.equal(postingName("debit", -5n, ENGLISH), "Paid out");
});
