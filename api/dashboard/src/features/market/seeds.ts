// Who has revealed a seed for the draw of a slot, in words.

import type { Seed } from "../../transport/types.ts";

/** The state of a draw as a text and its tone; a draw without members, of an empty slot, is a dash. */
export function seedsWord(seeds: readonly Seed[]): [string, "good" | "wait" | null] {
  if (!seeds.length) return ["–", null];
  const named = (state: Seed["state"]) => seeds.filter((seed) => seed.state === state).map((seed) => seed.member);
  const withheld = named("WITHHELD");
  if (withheld.length) return [`withheld by ${withheld.join(", ")}`, "wait"];
  const awaited = named("AWAITED");
  if (awaited.length) return [`awaits ${awaited.join(", ")}`, "wait"];
  return [`revealed by ${seeds.map((seed) => seed.member).join(", ")}`, "good"];
}
