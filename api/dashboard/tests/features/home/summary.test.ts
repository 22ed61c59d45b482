import assert from "node:assert/strict";
import { test } from "node:test";
import { sentence, sides } from "../../../src/features/home/summary.ts";

const plain = (text: string) => text.replaceAll("\u00a0", " ");

test("the sentence has the energy, its mean price and the total of the day", () => {
  const trades = [
    { side: "SELL", quantity: 300, buyPrice: 0, sellPrice: 100_000 },
    { side: "SELL", quantity: 120, buyPrice: 0, sellPrice: 163_000 },
  ] as const;
  assert.equal(
    plain(sentence(sides(trades), 840_000_000n, "EUR")),
    "you sell 0.42 kWh at 11.80 ct/kWh; today's total is +0.84 EUR",
  );
  assert.equal(plain(sentence(sides([]), null, "EUR")), "you trade nothing");
});

test("mean prices below zero round away from it too", () => {
  const trades = [
    { side: "BUY", quantity: 1, buyPrice: -1, sellPrice: 0 },
    { side: "BUY", quantity: 1, buyPrice: -2, sellPrice: 0 },
  ] as const;
  assert.equal(sides(trades).bought?.price, -2);
});
