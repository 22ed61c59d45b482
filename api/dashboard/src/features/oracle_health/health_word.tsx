// The health of a meter or node as a word.

import { toneOf } from "./health_tone.ts";
import { State } from "../../parts/layout.tsx";

export function Health({ health }: { health: { state: string } | null }) {
  if (!health) return <State word="not heard of yet" tone="calm" />;
  return <StateWord state={health.state} />;
}

export function StateWord({ state }: { state: string }) {
  return <State word={state.toLowerCase().replaceAll("_", " ")} tone={toneOf(state)} />;
}
