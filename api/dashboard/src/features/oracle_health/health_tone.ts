// How serious the state of a meter or of an oracle node is: good, wait, or act.

const GOOD = new Set(["good"]);
const WAIT = new Set(["late", "suspect", "waiting", "stale"]);

/** The tone of a state; an unknown word counts as one that needs attention. */
export function toneOf(state: string): "good" | "wait" | "act" {
  const word = state.toLowerCase();
  return GOOD.has(word) ? "good" : WAIT.has(word) ? "wait" : "act";
}
