// The rules by which findings are made from the API's answers. Each rule has its test.

import type { Slot } from "../../transport/types.ts";
import { toneOf } from "../oracle_health/health_tone.ts";

export interface Finding {
  readonly kind: string;
  readonly where: string;
  readonly sentence: string;
  readonly grave: boolean;
  readonly block: number | null;
}

interface Looked {
  readonly slots: readonly Pick<Slot, "start" | "phase" | "settled" | "surplus" | "minted" | "retired" | "estimatedMeters" | "block">[];
  readonly meters: readonly { readonly id: string; readonly zone: string; readonly health: { state: string; sentence: string } | null }[];
  readonly zones: readonly { readonly id: string; readonly paused: boolean }[];
  readonly nodes: readonly { readonly did: string; readonly state: string; readonly sentence: string }[];
}

/** Serious findings first, each group in the order of the rules below. */
export function findings(looked: Looked, slotName: (slot: number) => string, energy: (wh: number) => string): Finding[] {
  const found: Finding[] = [];
  for (const slot of looked.slots) {
    const where = slotName(slot.start);
    if (slot.retired > slot.minted) {
      const sentence = `${energy(slot.retired)} of certificates were used, but only ${energy(slot.minted)} were issued.`;
      found.push({ kind: "certificates", where, sentence, grave: true, block: slot.block });
    }
    if (slot.phase === "SETTLED" && slot.minted > slot.settled + slot.surplus) {
      const sentence = `${energy(slot.minted)} of certificates were issued, but only ${energy(slot.settled + slot.surplus)} were fed in.`;
      found.push({ kind: "certificates", where, sentence, grave: true, block: slot.block });
    }
    if (slot.estimatedMeters) {
      const meters = slot.estimatedMeters === 1 ? "1 meter was" : `${slot.estimatedMeters} meters were`;
      found.push({ kind: "estimated", where, sentence: `${meters} settled on an estimate.`, grave: false, block: slot.block });
    }
  }
  for (const zone of looked.zones) {
    if (!zone.paused) continue;
    found.push({ kind: "paused", where: `zone ${zone.id}`, sentence: "The zone takes no orders.", grave: true, block: null });
  }
  for (const meter of looked.meters) {
    if (!meter.health || toneOf(meter.health.state) === "good") continue;
    found.push({ kind: "meter", where: `${meter.id}, zone ${meter.zone}`, sentence: meter.health.sentence, grave: false, block: null });
  }
  for (const node of looked.nodes) {
    if (toneOf(node.state) === "good") continue;
    found.push({ kind: "oracle node", where: `…${node.did.slice(-8)}`, sentence: node.sentence, grave: true, block: null });
  }
  return [...found.filter((each) => each.grave), ...found.filter((each) => !each.grave)];
}
