// The English words for amounts. Another language is another module of this form.

import type { PostingWords } from "./posting_explanation.ts";

const PAYMENT = { name: "Payment", meaning: "A payment between a retailer and its client, outside the market." };

export const ENGLISH: PostingWords = {
  kinds: {
    ENERGY: {
      name: "Energy",
      meaning: "Energy that was traded with a neighbour, at the price of the trade.",
    },
    RESIDUAL: {
      name: "Retail supply",
      meaning: "Energy that was used but not bought on the market. The retailer supplies it at its own price.",
    },
    SURPLUS: {
      name: "Surplus",
      meaning: "Energy that was fed in but not sold on the market. The retailer takes it at its own price.",
    },
    SPREAD: {
      name: "Price difference",
      meaning: "The buyer pays more than the seller receives. The difference pays for the grid between their zones.",
    },
    PENALTY: {
      name: "Undelivered energy",
      meaning: "Energy that was sold and used but not delivered. The seller pays the buyer for it, without VAT.",
    },
    FEE: { name: "Fee", meaning: "A fee of the area's price sheet." },
    VAT: { name: "VAT", meaning: "Value added tax on the energy." },
    DEFAULT: {
      name: "Paid by the retailer",
      meaning: "The account held too little. The retailer paid the rest, and claims it back.",
    },
    REPAYMENT: {
      name: "Paid back to the retailer",
      meaning: "The retailer had paid this earlier, when the account held too little.",
    },
    CREDIT: PAYMENT,
    DEBIT: PAYMENT,
  },
  fees: {
    cancel: {
      name: "Cancellation fee",
      meaning: "A fee for an order that was withdrawn or reduced after others could rely on it.",
    },
    grid: { name: "Grid fee", meaning: "A fee for the use of the grid. It depends on the distance of the trade." },
    loss: { name: "Loss fee", meaning: "A fee for the energy that is lost in the grid." },
    levy: { name: "Levy", meaning: "A public charge on energy that is drawn from the grid." },
  },
  otherFee: (fee) => ({ name: `Fee: ${fee}`, meaning: "A fee of the area's price sheet." }),
  vatOn: (fee) => ({ name: `VAT on ${fee.toLowerCase()}`, meaning: "Value added tax on that fee." }),
  payment: (isReceived) => (isReceived ? "Paid in" : "Paid out"),
  priced: (energy, price) => `${energy} × ${price}`,
  difference: (buy, sell) => `(${buy} − ${sell})`,
  inPrice: (rate, part) => `the fee is ${rate}, of which ${part} was part of the price already`,
  taxed: (percent, base) => `${percent} of ${base}`,
  cancelled: (energy) => `the fee for ${energy} that the order gave up`,
  carried: (retailer) => `the client could not pay this amount, so ${retailer ?? "its retailer"} paid it and claims it back`,
  repaid: (retailer) => `the client paid back what ${retailer ?? "its retailer"} had paid for it`,
  corrected: (after, before) => `${after} after the correction, ${before} before it`,
  paid: (retailer, reference) =>
    `paid outside the market${retailer ? `, through ${retailer}` : ""}${reference ? `, reference ${reference}` : ""}`,
};
