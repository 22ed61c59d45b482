// A list of amounts. Each one opens to show how it was calculated, by which rule and in which block.

import { exactMoney, fineMoney, money } from "../../format/figures.ts";
import { dayRange } from "../../format/times.ts";
import { useLive } from "../../transport/live.ts";
import type { Posting } from "../../transport/types.ts";
import { explanationOf } from "./explained_text.ts";
import { calculation, kindOf, postingName } from "./posting_explanation.ts";
import { ENGLISH } from "./posting_words_en.ts";

export function Postings({ postings }: { postings: readonly Posting[] }) {
  const live = useLive();
  return (
    <ul class="postings">
      {postings.map((posting) => {
        const amount = money(posting.amount);
        const told = explanationOf(posting);
        return (
          <li key={posting.id}>
            <details>
              <summary>
                <span class="posting-kind">{postingName(posting.kind, amount, ENGLISH)}</span>
                <span class="posting-slot">
                  {posting.slot === null ? "" : dayRange(posting.slot, live.market.slotS, live.zone)}
                </span>
                <span class="posting-amount">{fineMoney(amount, live.currency)}</span>
              </summary>
              <div class="why">
                <p>{kindOf(posting.kind, ENGLISH).meaning}</p>
                <dl>
                  <dt>Calculation</dt>
                  <dd>{calculation(posting, told, live.currency, ENGLISH)}</dd>
                  <dt>Amount</dt>
                  <dd>{exactMoney(amount, live.currency)}</dd>
                  <dt>Rule</dt>
                  <dd>{posting.rule}</dd>
                  {posting.trade !== null && (
                    <>
                      <dt>Trade</dt>
                      <dd>number {posting.trade} of the slot</dd>
                    </>
                  )}
                  {told?.rule === "corrected" && (
                    <>
                      <dt>Cause</dt>
                      <dd>{posting.cause.replace("-", " ")}</dd>
                    </>
                  )}
                  <dt>Block</dt>
                  <dd>{posting.block}</dd>
                </dl>
              </div>
            </details>
          </li>
        );
      })}
    </ul>
  );
}
