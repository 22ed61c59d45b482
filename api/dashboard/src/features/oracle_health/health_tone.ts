// How the states of meters and oracle nodes are taken: in order, to be waited for, to be looked at.

const GOOD = new Set(["good"]);
const WAIT = new Set(["late", "suspect", "waiting", "stale"]);

/** The tone of a state; a word that is not known asks to be looked at. */
export function toneOf(state: string): "good" | "wait" | "act" {
  const word = state.toLowerCase();
  return GOOD.has(word) ? "good" : WAIT.has(word) ? "wait" : "act";
}
