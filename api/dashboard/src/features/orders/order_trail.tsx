// How far an order has come: listed, matched, delivering, settled.

import type { OrderState } from "../../transport/types.ts";

const STEPS = ["Listed", "Matched", "Delivering", "Settled"] as const;
const REACHED: Readonly<Record<OrderState, number>> = {
  LISTED: 0,
  MATCHED: 1,
  EXECUTING: 2,
  SETTLED: 3,
  DISPUTED: 3,
  EXPIRED: 0,
  CANCELLED: 0,
};
const ENDED: Partial<Record<OrderState, string>> = {
  EXPIRED: "Not matched",
  CANCELLED: "Withdrawn",
  DISPUTED: "Disputed",
};

export function stateWord(state: OrderState): string {
  return ENDED[state] ?? STEPS[REACHED[state]] ?? state;
}

export function Trail({ state }: { state: OrderState }) {
  const reached = REACHED[state];
  const ended = ENDED[state];
  const steps: readonly string[] = ended ? [...STEPS.slice(0, reached + (state === "DISPUTED" ? 0 : 1)), ended] : STEPS;
  const here = ended ? steps.length - 1 : reached;
  return (
    <ol class="trail" aria-label={`State: ${stateWord(state)}`}>
      {steps.map((step, index) => (
        <li
          key={step}
          class={index < here ? "past" : index === here ? `here${ended ? " ended" : ""}` : undefined}
          aria-current={index === here ? "step" : undefined}
        >
          {step}
        </li>
      ))}
    </ol>
  );
}
