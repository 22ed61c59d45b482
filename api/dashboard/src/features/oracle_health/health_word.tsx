// The health of a meter or of an oracle node as a word.

import { State } from "../../parts/layout.tsx";
import { toneOf } from "./health_tone.ts";

export function Health({ health }: { health: { state: string } | null }) {
  if (!health) return <State word="no report yet" tone="calm" />;
  return <StateWord state={health.state} />;
}

export function StateWord({ state }: { state: string }) {
  return <State word={state.toLowerCase().replaceAll("_", " ")} tone={toneOf(state)} />;
}
