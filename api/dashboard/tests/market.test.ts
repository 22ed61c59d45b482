import assert from "node:assert/strict";
import { test } from "node:test";
import { depth } from "../src/charts/steps.ts";
import { arrange } from "../src/charts/tree.ts";
import { sentence, sides } from "../src/views/household/summary.ts";
import { findings } from "../src/views/regulator/found.ts";
import { derivation, kindName } from "../src/why.ts";

const plain = (text: string) => text.replaceAll("\u00a0", " ");

test("the answer is one sentence: energy, mean price, what the day brought", () => {
  const trades = [
    { side: "SELL", quantity: 300, buyPrice: 0, sellPrice: 100_000 },
    { side: "SELL", quantity: 120, buyPrice: 0, sellPrice: 163_000 },
  ] as const;
  assert.equal(
    plain(sentence(sides(trades), 840_000_000n, "EUR")),
    "you sell 0.42 kWh at 11.80 ct/kWh; today +0.84 EUR",
  );
  assert.equal(plain(sentence(sides([]), null, "EUR")), "nothing of yours is being traded");
});

test("mean prices below zero round away from it too", () => {
  const trades = [
    { side: "BUY", quantity: 1, buyPrice: -1, sellPrice: 0 },
    { side: "BUY", quantity: 1, buyPrice: -2, sellPrice: 0 },
  ] as const;
  assert.equal(sides(trades).bought?.price, -2);
});

test("depth counts buys at a price or above and sells at it or below", () => {
  const rows = depth(
    [
      { price: 12, quantity: 5 },
      { price: 10, quantity: 3 },
    ],
    [{ price: 10, quantity: 4 }],
  );
  assert.deepEqual(rows, [
    { price: 10, bought: 8, sold: 4 },
    { price: 12, bought: 5, sold: 4 },
  ]);
});

test("a tree stands above the middle of its children", () => {
  const drawn = arrange([
    { id: "a", parent: null },
    { id: "b", parent: "a" },
    { id: "c", parent: "a" },
    { id: "lost", parent: "nowhere" },
  ]);
  const at = Object.fromEntries(drawn.cells.map((cell) => [cell.id, [cell.column, cell.row]]));
  assert.deepEqual(at, { a: [0.5, 0], b: [0, 1], c: [1, 1], lost: [2, 0] });
  assert.equal(drawn.columns, 3);
});

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

test("findings: each rule finds its own, grave ones first", () => {
  const slot = { start: 1, phase: "SETTLED", settled: 10, surplus: 5, minted: 15, retired: 10, estimatedMeters: 0, block: 7 } as const;
  const calm = { slots: [slot], meters: [], zones: [{ id: "z", paused: false }], nodes: [{ did: "d", state: "good", sentence: "" }] };
  const look = (changed: object) => findings({ ...calm, ...changed }, String, String).map((found) => found.kind);
  assert.deepEqual(look({}), []);
  assert.deepEqual(look({ slots: [{ ...slot, retired: 16 }] }), ["certificates"]);
  assert.deepEqual(look({ slots: [{ ...slot, minted: 16 }] }), ["certificates"]);
  assert.deepEqual(
    look({ slots: [{ ...slot, estimatedMeters: 2 }], zones: [{ id: "z", paused: true }] }),
    ["paused", "estimated"],
  );
  assert.deepEqual(look({ meters: [{ id: "m", zone: "z", health: { state: "silent", sentence: "s" } }] }), ["meter"]);
  assert.deepEqual(look({ nodes: [{ did: "d", state: "silent", sentence: "s" }] }), ["oracle node"]);
});
