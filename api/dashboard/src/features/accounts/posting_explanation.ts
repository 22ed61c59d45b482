// Why an amount is what it is: the explanation of a posting, put into the words of a language.

import { energy, exactMoney, money, percent, price } from "../../format/figures.ts";
import type { PostingExplanation, PostingKind } from "../../transport/types.ts";

export interface Kind {
  readonly name: string;
  readonly meaning: string;
}

/** The words of one language. Figures come in already written. */
export interface PostingWords {
  readonly kinds: Readonly<Record<PostingKind, Kind>>;
  readonly fees: Readonly<Record<string, Kind>>;
  readonly otherFee: (fee: string) => Kind;
  readonly vatOn: (fee: string) => Kind;
  readonly payment: (isReceived: boolean) => string;
  readonly priced: (energy: string, price: string) => string;
  readonly difference: (buy: string, sell: string) => string;
  readonly inPrice: (rate: string, part: string) => string;
  readonly taxed: (percent: string, base: string) => string;
  readonly cancelled: (energy: string) => string;
  readonly carried: (retailer: string | null) => string;
  readonly repaid: (retailer: string | null) => string;
  readonly corrected: (after: string, before: string) => string;
  readonly paid: (retailer: string | null, reference: string | null) => string;
}

/** The name of a kind of posting and what it is. */
export function kindOf(told: Pick<PostingExplanation, "kind" | "fee">, words: PostingWords): Kind {
  const { kind, fee } = told;
  if (fee === null) return words.kinds[kind];
  const named = (Object.hasOwn(words.fees, fee) ? words.fees[fee] : undefined) ?? words.otherFee(fee);
  return kind === "VAT" ? words.vatOn(named.name) : named;
}

/** The name of a posting: "Grid fee"; of a payment, whether the account received it. */
export function postingName(
  told: Pick<PostingExplanation, "kind" | "fee">,
  amount: bigint,
  words: PostingWords,
): string {
  const isPayment = told.kind === "CREDIT" || told.kind === "DEBIT";
  return isPayment ? words.payment(amount >= 0n) : kindOf(told, words).name;
}

/** How an amount was calculated: "0.42 kWh × 11.80 ct/kWh". */
export function calculation(told: PostingExplanation, amount: bigint, currency: string, words: PostingWords): string {
  const perKwh = (micro: number) => price(micro, currency);
  const base = money(told.base);
  switch (told.rule) {
    case "PRICED": {
      const rate = told.rate ?? 0;
      if (told.kind === "SPREAD") {
        return words.priced(energy(told.quantity), words.difference(perKwh(rate), perKwh(told.inPrice)));
      }
      const product = words.priced(energy(told.quantity), perKwh(rate - told.inPrice));
      return told.inPrice ? `${product}; ${words.inPrice(perKwh(rate), perKwh(told.inPrice))}` : product;
    }
    case "TAXED":
      return words.taxed(percent(told.taxRate ?? 0), exactMoney(base, currency).replace(/^[+−]/, ""));
    case "CANCELLED":
      return words.cancelled(energy(told.quantity));
    case "CARRIED":
      return words.carried(told.retailer);
    case "REPAID":
      return words.repaid(told.retailer);
    case "CORRECTED":
      return words.corrected(exactMoney(base + amount, currency), exactMoney(base, currency));
    case "PAID":
      return words.paid(told.retailer, told.reference);
  }
}
