// Phases of a slot and its draw as words, and its figures, with a dash for those that it does not have yet.

import { priceColumn } from "../../format/figures.ts";
import { State } from "../../parts/layout.tsx";
import type { PricePoint, Seed, Slot, SlotPhase } from "../../transport/types.ts";
import { seedsWord } from "./seeds.ts";

const WORDS: Readonly<Record<SlotPhase, readonly [string, "good" | "wait" | "calm"]>> = {
  OPEN: ["takes orders", "calm"],
  CLOSED: ["gate closed", "wait"],
  CLEARING: ["being cleared", "wait"],
  CLEARED: ["cleared", "calm"],
  SETTLING: ["being settled", "wait"],
  SETTLED: ["settled", "good"],
  CORRECTING: ["being corrected", "wait"],
};

export function PhaseWord({ phase }: { phase: SlotPhase }) {
  const [word, tone] = WORDS[phase];
  return <State word={word} tone={tone} />;
}

export function SeedsWord({ seeds }: { seeds: readonly Seed[] }) {
  const [word, tone] = seedsWord(seeds);
  return tone ? <State word={word} tone={tone} /> : <>{word}</>;
}

const UNCLEARED: readonly SlotPhase[] = ["OPEN", "CLOSED", "CLEARING"];
const UNSETTLED: readonly SlotPhase[] = [...UNCLEARED, "CLEARED", "SETTLING"];

/** A figure that exists once the slot has been cleared; a dash before that. */
export function cleared<T>(slot: Pick<Slot, "phase">, figure: T): T | "–" {
  return UNCLEARED.includes(slot.phase) ? "–" : figure;
}

/** A figure that exists once the slot has been settled; a dash before that. */
export function settled<T>(slot: Pick<Slot, "phase">, figure: T): T | "–" {
  return UNSETTLED.includes(slot.phase) ? "–" : figure;
}

/** The lowest and the highest price of a slot's zones, as one text. */
export function priceRange(slot: { readonly zones: readonly Pick<PricePoint, "price">[] }): string {
  const prices = slot.zones.flatMap((point) => (point.price === null ? [] : [point.price]));
  if (!prices.length) return "–";
  const low = priceColumn(Math.min(...prices));
  const high = priceColumn(Math.max(...prices));
  return low === high ? low : `${low} to ${high}`;
}
