// The depth of a book as rows: at each price, what is asked for at it or above and offered at it
// or below.

import type { BookStep } from "../../transport/types.ts";

export interface Depth {
  readonly price: number;
  readonly bought: number;
  readonly sold: number;
}

/** Rows in rising price; quantities in Wh. */
export function depth(buys: readonly BookStep[], sells: readonly BookStep[]): Depth[] {
  const prices = [...new Set([...buys, ...sells].map((step) => step.price))].sort((a, b) => a - b);
  return prices.map((price) => ({
    price,
    bought: total(buys, (step) => step.price >= price),
    sold: total(sells, (step) => step.price <= price),
  }));
}

function total(steps: readonly BookStep[], counts: (step: BookStep) => boolean): number {
  return steps.reduce((wh, step) => (counts(step) ? wh + step.quantity : wh), 0);
}
