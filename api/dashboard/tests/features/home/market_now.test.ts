import assert from "node:assert/strict";
import { test } from "node:test";
import { busiestZone, marketNow } from "../../../src/features/home/market_now.ts";

const zones = [
  { id: "town", lastPrice: null },
  { id: "north", lastPrice: 5 },
  { id: "south", lastPrice: null },
];
const point = (zone: string, volume: number) => ({ zone, price: 5, volume, trades: 2 });

test("the market now is the sum over its zones, and nothing before the slot has cleared", () => {
  assert.deepEqual(marketNow([point("north", 300), point("south", 120)]), { volume: 420, trades: 4 });
  assert.equal(marketNow([]), null);
});

test("a visitor sees the zone that trades most, else one that has a price, else the last one", () => {
  assert.equal(busiestZone(zones, [point("north", 1), point("south", 2)]), "south");
  assert.equal(busiestZone(zones, [point("north", 0)]), "north");
  assert.equal(busiestZone([{ id: "a", lastPrice: null }], []), "a");
  assert.equal(busiestZone([], []), null);
});
