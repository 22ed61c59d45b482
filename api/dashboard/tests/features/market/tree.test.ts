import assert from "node:assert/strict";
import { test } from "node:test";
import { arrange } from "../../../src/features/market/tree.ts";

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
