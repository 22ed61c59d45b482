// Why an amount is what it is: the explanation of a posting, put into the words of a language.

import { energy, exactMoney, money, percent, price } from "../../format/figures.ts";

/** How an amount is computed, as `Explanation` of the contract has it. */
export type PostingRule = "priced" | "taxed" | "cancelled" | "carried" | "corrected";

/** What an amount is computed from; the rule says which of the numbers count. */
export interface PostingExplanation {
  readonly rule: PostingRule;
  readonly quantityWh: number;
  /** Micro-currency per kWh where the rule is `priced`, parts per million where it is `taxed`. */
  readonly rate: number;
  /** What the price of the trade has collected of the rate already; of a spread, the seller's price. */
  readonly inPrice: number;
  /** The amount that is taxed, fixed or carried, or that stood before a correction: nano-currency as text. */
  readonly baseNano: string;
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
  readonly priced: (energy: string, price: string) => string;
  readonly difference: (buy: string, sell: string) => string;
  readonly inPrice: (rate: string, part: string) => string;
  readonly taxed: (percent: string, base: string) => string;
  readonly cancelled: (energy: string) => string;
  readonly carried: string;
  readonly corrected: (after: string, before: string) => string;
  readonly posted: string;
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

/** How an amount was calculated: "0.42 kWh × 11.80 ct/kWh"; null explains an amount posted as it is. */
export function calculation(
  posting: { readonly kind: string; readonly amount: string },
  told: PostingExplanation | null,
  currency: string,
  words: PostingWords,
): string {
  const perKwh = (micro: number) => price(micro, currency);
  switch (told?.rule) {
    case "priced": {
      if (posting.kind === "spread") {
        return words.priced(energy(told.quantityWh), words.difference(perKwh(told.rate), perKwh(told.inPrice)));
      }
      const product = words.priced(energy(told.quantityWh), perKwh(told.rate - told.inPrice));
      return told.inPrice ? `${product}; ${words.inPrice(perKwh(told.rate), perKwh(told.inPrice))}` : product;
    }
    case "taxed":
      return words.taxed(percent(told.rate), exactMoney(money(told.baseNano), currency).replace(/^[+−]/, ""));
    case "cancelled":
      return words.cancelled(energy(told.quantityWh));
    case "carried":
      return words.carried;
    case "corrected": {
      const before = money(told.baseNano);
      return words.corrected(exactMoney(before + money(posting.amount), currency), exactMoney(before, currency));
    }
    case undefined:
      return words.posted;
  }
}
