import assert from "node:assert/strict";
import { test } from "node:test";
import { seedsWord } from "../../../src/features/market/seeds.ts";

test("a draw says who revealed, who is awaited and who failed", () => {
  const grid = { member: "NordGrid", state: "REVEALED" } as const;

  assert.deepEqual(seedsWord([]), ["–", null]);
  assert.deepEqual(seedsWord([grid]), ["revealed by NordGrid", "good"]);
  assert.deepEqual(seedsWord([grid, { member: "CityEnergy", state: "AWAITED" }]), ["awaits CityEnergy", "wait"]);
  assert.deepEqual(seedsWord([grid, { member: "CityEnergy", state: "WITHHELD" }]), ["withheld by CityEnergy", "wait"]);
});
