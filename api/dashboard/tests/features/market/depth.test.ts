import assert from "node:assert/strict";
import { test } from "node:test";
import { depth } from "../../../src/features/market/depth.ts";

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
