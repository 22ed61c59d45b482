import assert from "node:assert/strict";
import { test } from "node:test";
import { findings } from "../../../src/features/findings/findings.ts";

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
