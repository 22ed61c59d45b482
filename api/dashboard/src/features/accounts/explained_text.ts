// Reads the explanation of a posting out of the text in which the ledger stores it.

import type { Posting } from "../../transport/types.ts";
import type { PostingExplanation } from "./posting_explanation.ts";

const FORMS: readonly (readonly [RegExp, (n: readonly number[], text: readonly string[]) => Partial<PostingExplanation>])[] = [
  [/^(-?\d+) Wh x \((-?\d+) - (-?\d+)\)$/, ([wh, buy, sell]) => ({ quantityWh: wh!, pricesMicroPerKwh: [buy!, sell!] })],
  [
    /^(-?\d+) Wh x (-?\d+)(?:; rate -?\d+, of which in price (-?\d+))?$/,
    ([wh, rate, part], texts) => ({
      quantityWh: wh!,
      rateMicroPerKwh: rate!,
      inPriceMicroPerKwh: texts[2] === undefined ? null : part!,
    }),
  ],
  [/^VAT at (\d+) ppm on (-?\d+)$/, ([ppm], [, base]) => ({ ratePpm: ppm!, baseNano: base! })],
  [/^(\d+) Wh cancelled$/, ([wh]) => ({ quantityWh: wh! })],
  [/^(-?\d+) instead of (-?\d+)$/, (_, [, before]) => ({ baseNano: before! })],
];

/** The explanation of a posting; one without figures where the text has another form. */
export function explanationOf(posting: Pick<Posting, "kind" | "rule" | "cause" | "explain">): PostingExplanation {
  const { kind, rule, cause, explain } = posting;
  const none = {
    kind,
    rule,
    cause,
    quantityWh: null,
    rateMicroPerKwh: null,
    pricesMicroPerKwh: null,
    inPriceMicroPerKwh: null,
    ratePpm: null,
    baseNano: null,
  };
  for (const [form, read] of FORMS) {
    const found = form.exec(explain)?.slice(1);
    if (found) return { ...none, ...read(found.map(Number), found) };
  }
  return none;
}
