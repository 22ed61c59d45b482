// Why an amount is what it is: the ledger's own derivation, said in plain words.

import { energy, exactMoney, price } from "../../format/figures.ts";

const KINDS: Readonly<Record<string, readonly [name: string, meaning: string]>> = {
  energy: ["Energy", "Energy traded with a neighbour, at the price that your order fetched."],
  residual: ["Imbalance: drawn", "Energy used beyond what was bought; the retailer supplies it at its own price."],
  surplus: ["Imbalance: given", "Energy fed in beyond what was sold; the retailer takes it at its own price."],
  spread: ["Grid share of the price", "The difference between what the buyer pays and the seller gets; it pays for the way between their zones."],
  vat: ["VAT", "Value added tax on the energy."],
  credit: ["Paid in", "A payment between a retailer and its client, outside the market."],
  debit: ["Paid out", "A payment between a retailer and its client, outside the market."],
  default: ["Unpaid amount", "An amount that its debtor could not cover."],
  "fee:cancel": ["Cancellation fee", "For withdrawing or reducing an order while others had to reckon with it."],
  "fee:grid": ["Grid fee", "For the use of the grid, by the distance of the trade."],
  "fee:loss": ["Loss fee", "For the energy that is lost on the way."],
  "fee:levy": ["Levy", "A public charge on energy drawn from the grid."],
};

/** The name of a kind of posting: "Grid fee". */
export function kindName(kind: string, amount = 0n): string {
  if (kind === "credit" || kind === "debit") return amount < 0n ? "Paid out" : "Paid in";
  const known = KINDS[kind];
  if (known) return known[0];
  if (kind.startsWith("vat:")) return `VAT on ${kindName(`fee:${kind.slice(4)}`).toLowerCase()}`;
  if (kind.startsWith("fee:")) return `Fee: ${kind.slice(4)}`;
  return kind.charAt(0).toUpperCase() + kind.slice(1);
}

/** What a kind of posting is, in one sentence. */
export function kindMeaning(kind: string): string {
  const known = KINDS[kind];
  if (known) return known[1];
  if (kind.startsWith("vat:")) return "Value added tax on that fee.";
  if (kind.startsWith("fee:")) return "A fee that the area has posted in its price sheet.";
  return "";
}

/** The ledger's derivation ("420 Wh x 118000") with units that people read; unknown forms as they are. */
export function derivation(explain: string, currency: string): string {
  let said = explain.replace(
    /^(-?\d+) Wh x \((-?\d+) - (-?\d+)\)/,
    (_, wh: string, buy: string, sell: string) =>
      `${energy(Number(wh))} × (${price(Number(buy), currency)} − ${price(Number(sell), currency)})`,
  );
  said = said.replace(
    /^(-?\d+) Wh x (-?\d+)/,
    (_, wh: string, rate: string) => `${energy(Number(wh))} × ${price(Number(rate), currency)}`,
  );
  said = said.replace(
    /; rate (-?\d+), of which in price (-?\d+)/,
    (_, rate: string, within: string) =>
      `; the fee is ${price(Number(rate), currency)}, of which ${price(Number(within), currency)} was in the price already`,
  );
  said = said.replace(
    /^VAT at (\d+) ppm on (-?\d+)/,
    (_, ppm: string, nano: string) =>
      `${percent(Number(ppm))} of ${exactMoney(BigInt(nano), currency).replace(/^[+−]/, "")}`,
  );
  return said.replace(/^(\d+) Wh cancelled/, (_, wh: string) => `${energy(Number(wh))} cancelled`);
}

function percent(ppm: number): string {
  const tenThousandths = ppm.toString().padStart(5, "0");
  const part = tenThousandths.slice(-4).replace(/0+$/, "");
  return `${tenThousandths.slice(0, -4)}${part ? `.${part}` : ""} %`;
}
