// Why an amount is what it is: the explanation of a posting, put into the words of a language.

import { energy, exactMoney, money, percent, price } from "../../format/figures.ts";

/** What the ledger says about a posting. Prices and rates are micro-currency per kWh. */
export interface PostingExplanation {
  readonly kind: string;
  readonly rule: string;
  /** The energy that the amount is for; null where it is not for energy. */
  readonly quantityWh: number | null;
  /** The price or the fee for each kWh; null where the amount does not depend on energy. */
  readonly rateMicroPerKwh: number | null;
  /** The two prices whose difference is the rate. */
  readonly pricesMicroPerKwh: readonly [buy: number, sell: number] | null;
  /** The part of a fee that the price of the trade contained already. */
  readonly inPriceMicroPerKwh: number | null;
  /** The VAT rate in parts per million. */
  readonly ratePpm: number | null;
  /** The amount that VAT is charged on; for a correction, the amount before it. Nano-currency, as text. */
  readonly baseNano: string | null;
  /** The correction that caused the posting; empty for a first settlement. */
  readonly cause: string;
}

export interface Kind {
  readonly name: string;
  readonly meaning: string;
}

/** The words of one language. Figures come in already written. */
export interface PostingWords {
  readonly kinds: Readonly<Record<string, Kind>>;
  readonly otherFee: (fee: string) => Kind;
  readonly vatOn: (fee: string) => Kind;
  readonly payment: (isReceived: boolean) => string;
  readonly product: (energy: string, price: string) => string;
  readonly difference: (buy: string, sell: string) => string;
  readonly inPrice: (rate: string, part: string) => string;
  readonly share: (percent: string, base: string) => string;
  readonly quantity: (energy: string) => string;
  readonly corrected: (after: string, before: string) => string;
  readonly plain: string;
}

/** The name of a kind of posting and what it is. */
export function kindOf(kind: string, words: PostingWords): Kind {
  const [group = "", fee] = kind.split(":");
  if (group === "vat" && fee !== undefined) return words.vatOn(kindOf(`fee:${fee}`, words).name);
  const known = Object.hasOwn(words.kinds, kind) ? words.kinds[kind] : undefined;
  if (known) return known;
  return group === "fee" && fee !== undefined ? words.otherFee(fee) : { name: kind, meaning: "" };
}

/** The name of a posting: "Grid fee"; of a payment, whether the account received it. */
export function postingName(kind: string, amount: bigint, words: PostingWords): string {
  const isPayment = kind === "credit" || kind === "debit";
  return isPayment ? words.payment(amount >= 0n) : kindOf(kind, words).name;
}

/** How the amount was calculated: "0.42 kWh × 11.80 ct/kWh". */
export function calculation(
  explanation: PostingExplanation,
  amount: bigint,
  currency: string,
  words: PostingWords,
): string {
  const { quantityWh, rateMicroPerKwh: rate, pricesMicroPerKwh: prices, ratePpm, baseNano } = explanation;
  const perKwh = (micro: number) => price(micro, currency);
  if (explanation.cause && baseNano !== null) {
    const before = money(baseNano);
    return words.corrected(exactMoney(before + amount, currency), exactMoney(before, currency));
  }
  if (ratePpm !== null && baseNano !== null) {
    const base = money(baseNano);
    return words.share(percent(ratePpm), exactMoney(base, currency).replace(/^[+−]/, ""));
  }
  if (quantityWh === null) return words.plain;
  if (prices) return words.product(energy(quantityWh), words.difference(perKwh(prices[0]), perKwh(prices[1])));
  if (rate === null) return words.quantity(energy(quantityWh));
  const product = words.product(energy(quantityWh), perKwh(rate));
  const part = explanation.inPriceMicroPerKwh;
  return part === null ? product : `${product}; ${words.inPrice(perKwh(rate + part), perKwh(part))}`;
}
