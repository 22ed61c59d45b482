import assert from "node:assert/strict";
import { test } from "node:test";
import { derivation, kindName } from "../../../src/features/accounts/posting_explanation.ts";

const plain = (text: string) => text.replaceAll("\u00a0", " ");

test("derivations of the ledger are said with units", () => {
  for (const [explain, said] of [
    ["420 Wh x 118000", "0.42 kWh × 11.80 ct/kWh"],
    ["420 Wh x (124000 - 118000)", "0.42 kWh × (12.40 ct/kWh − 11.80 ct/kWh)"],
    [
      "130 Wh x 12000; rate 18000, of which in price 6000",
      "0.13 kWh × 1.20 ct/kWh; the fee is 1.80 ct/kWh, of which 0.60 ct/kWh was in the price already",
    ],
    ["VAT at 190000 ppm on 49560000", "19 % of 0.04956 EUR"],
    ["VAT at 77500 ppm on -49560000", "7.75 % of 0.04956 EUR"],
    ["200 Wh cancelled", "0.2 kWh cancelled"],
    ["something else", "something else"],
  ] as const) {
    assert.equal(plain(derivation(explain, "EUR")), said);
  }
});

test("every kind of posting has a name", () => {
  assert.equal(kindName("vat:grid"), "VAT on grid fee");
  assert.equal(kindName("fee:moon"), "Fee: moon");
});
