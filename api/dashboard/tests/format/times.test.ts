import assert from "node:assert/strict";
import { test } from "node:test";
import * as times from "../../src/format/times.ts";

const ZONE = "Europe/Berlin";
const NOON = 1_780_315_200; // 1 June 2026, 12:00 UTC

test("a slot is a range of local time", () => {
  assert.equal(times.range(NOON, 900, ZONE), "14:00–14:15");
  assert.equal(times.dayRange(NOON, 900, ZONE), "Mon 1 Jun, 14:00–14:15");
});

test("the day begins at local midnight, also when the clocks change", () => {
  assert.equal(times.dayStart(NOON, ZONE), Date.UTC(2026, 4, 31, 22) / 1000);
  const springEvening = Date.UTC(2026, 2, 29, 20) / 1000;
  assert.equal(times.dayStart(springEvening, ZONE), Date.UTC(2026, 2, 28, 23) / 1000);
  const autumnEvening = Date.UTC(2026, 9, 25, 22, 30) / 1000;
  assert.equal(times.dayStart(autumnEvening, ZONE), Date.UTC(2026, 9, 24, 22) / 1000);
  const midnight = Date.UTC(2026, 4, 31, 22) / 1000;
  assert.equal(times.dayStart(midnight, ZONE), midnight);
});

test("lengths are relative words", () => {
  const said = [0, 8.4, 89, 120, 5400, 7500, 200_000].map((s) => times.span(s).replaceAll("\u00a0", " "));
  assert.deepEqual(said, ["0 s", "8 s", "89 s", "2 min", "1 h 30 min", "2 h 5 min", "2 days"]);
  assert.equal(times.pace(900, 90).replaceAll("\u00a0", " "), "1 slot = 10 s");
});

test("a moment belongs to the slot that began last", () => {
  assert.equal(times.slotOf(NOON + 899.9, 900), NOON);
  assert.equal(times.slotOf(NOON + 900, 900), NOON + 900);
});
