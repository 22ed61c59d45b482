// The English words for amounts. Another language is another module of this form.

import type { PostingWords } from "./posting_explanation.ts";

export const ENGLISH: PostingWords = {
  kinds: {
    energy: {
      name: "Energy",
      meaning: "Energy that was traded with a neighbour, at the price of the trade.",
    },
    residual: {
      name: "Retail supply",
      meaning: "Energy that was used but not bought on the market. The retailer supplies it at its own price.",
    },
    surplus: {
      name: "Surplus",
      meaning: "Energy that was fed in but not sold on the market. The retailer takes it at its own price.",
    },
    spread: {
      name: "Price difference",
      meaning: "The buyer pays more than the seller receives. The difference pays for the grid between their zones.",
    },
    vat: { name: "VAT", meaning: "Value added tax on the energy." },
    credit: { name: "Payment", meaning: "A payment between a retailer and its client, outside the market." },
    debit: { name: "Payment", meaning: "A payment between a retailer and its client, outside the market." },
    default: { name: "Unpaid amount", meaning: "An amount that the account which owes it could not pay." },
    "fee:cancel": {
      name: "Cancellation fee",
      meaning: "A fee for an order that was withdrawn or reduced after others could rely on it.",
    },
    "fee:grid": { name: "Grid fee", meaning: "A fee for the use of the grid. It depends on the distance of the trade." },
    "fee:loss": { name: "Loss fee", meaning: "A fee for the energy that is lost in the grid." },
    "fee:levy": { name: "Levy", meaning: "A public charge on energy that is drawn from the grid." },
  },
  otherFee: (fee) => ({ name: `Fee: ${fee}`, meaning: "A fee of the area's price sheet." }),
  vatOn: (fee) => ({ name: `VAT on ${fee.toLowerCase()}`, meaning: "Value added tax on that fee." }),
  payment: (isReceived) => (isReceived ? "Paid in" : "Paid out"),
  priced: (energy, price) => `${energy} × ${price}`,
  difference: (buy, sell) => `(${buy} − ${sell})`,
  inPrice: (rate, part) => `the fee is ${rate}, of which ${part} was part of the price already`,
  taxed: (percent, base) => `${percent} of ${base}`,
  cancelled: (energy) => `the fee for ${energy} that the order gave up`,
  carried: "the client could not pay this amount, so its retailer carries it",
  corrected: (after, before) => `${after} after the correction, ${before} before it`,
  posted: "This amount was posted as it is.",
};
