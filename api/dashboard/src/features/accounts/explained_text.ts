// Reads the explanation of a posting out of the text in which the API has it.

import type { Posting } from "../../transport/types.ts";
import type { PostingExplanation } from "./posting_explanation.ts";

type Read = (parts: readonly string[]) => Partial<PostingExplanation> & Pick<PostingExplanation, "rule">;

const FORMS: readonly (readonly [RegExp, Read])[] = [
  [
    /^(-?\d+) Wh x \((-?\d+) - (-?\d+)\)$/,
    ([wh, buy, sell]) => ({ rule: "priced", quantityWh: Number(wh), rate: Number(buy), inPrice: Number(sell) }),
  ],
  [
    /^(-?\d+) Wh x (-?\d+)(?:; rate -?\d+, of which in price (-?\d+))?$/,
    ([wh, charged, part = 0]) => ({
      rule: "priced",
      quantityWh: Number(wh),
      rate: Number(charged) + Number(part),
      inPrice: Number(part),
    }),
  ],
  [/^VAT at (\d+) ppm on (-?\d+)$/, ([ppm, base = "0"]) => ({ rule: "taxed", rate: Number(ppm), baseNano: base })],
  [/^(\d+) Wh cancelled$/, ([wh]) => ({ rule: "cancelled", quantityWh: Number(wh) })],
  [/^what the client cannot pay, carried by its retailer$/, () => ({ rule: "carried" })],
  [/^-?\d+ instead of (-?\d+)$/, ([before = "0"]) => ({ rule: "corrected", baseNano: before })],
];

/** The explanation of a posting; null where the text has no figures or another form. */
export function explanationOf(posting: Pick<Posting, "explain">): PostingExplanation | null {
  for (const [form, read] of FORMS) {
    const found = form.exec(posting.explain);
    if (found) return { quantityWh: 0, rate: 0, inPrice: 0, baseNano: "0", ...read(found.slice(1)) };
  }
  return null;
}
