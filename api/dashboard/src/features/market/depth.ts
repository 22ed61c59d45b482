// The depth of an order book as rows: at each price, what bids at that price or above want and what
// offers at that price or below hold.

import type { BookStep } from "../../transport/types.ts";

export interface Depth {
  readonly price: number;
  readonly bought: number;
  readonly sold: number;
}

/** One row for each price, the lowest first; quantities in Wh. */
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
