// The sentence at the top of a household's home page: what it trades now and what it earned today.

import { energy, price, signedMoney } from "../../format/figures.ts";
import type { Trade } from "../../transport/types.ts";

export interface Side {
  readonly quantity: number;
  /** Mean price, weighted by energy, rounded to a micro. */
  readonly price: number;
}

export type Traded = Pick<Trade, "side" | "quantity" | "buyPrice" | "sellPrice">;

/** What a household sells and buys in one slot, from its trades; null for a side without trades. */
export function sides(trades: readonly Traded[]): { sold: Side | null; bought: Side | null } {
  return { sold: side(trades, "SELL"), bought: side(trades, "BUY") };
}

function side(trades: readonly Traded[], of: "BUY" | "SELL"): Side | null {
  let quantity = 0n;
  let worth = 0n;
  for (const trade of trades) {
    if (trade.side !== of) continue;
    quantity += BigInt(trade.quantity);
    worth += BigInt(trade.quantity) * BigInt(of === "SELL" ? trade.sellPrice : trade.buyPrice);
  }
  if (!quantity) return null;
  const doubled = 2n * worth + (worth < 0n ? -quantity : quantity);
  return { quantity: Number(quantity), price: Number(doubled / (2n * quantity)) };
}

/** "you sell 0.42 kWh at 11.80 ct/kWh; today's total is +0.84 EUR". */
export function sentence(
  traded: { sold: Side | null; bought: Side | null },
  earned: bigint | null,
  currency: string,
): string {
  const parts: string[] = [];
  if (traded.sold) parts.push(`sell ${energy(traded.sold.quantity)} at ${price(traded.sold.price, currency)}`);
  if (traded.bought) parts.push(`buy ${energy(traded.bought.quantity)} at ${price(traded.bought.price, currency)}`);
  const now = parts.length ? `you ${parts.join(" and ")}` : "you trade nothing";
  if (earned === null) return now;
  return `${now}; today's total is ${signedMoney(earned, currency)}`;
}
