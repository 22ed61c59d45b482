// Postings as a list in which each amount opens to why it is what it is.

import { exactMoney, fineMoney, money } from "../../format/figures.ts";
import { dayRange } from "../../format/times.ts";
import { useLive } from "../../transport/live.ts";
import type { Posting } from "../../transport/types.ts";
import { derivation, kindMeaning, kindName } from "./posting_explanation.ts";

export function Postings({ postings }: { postings: readonly Posting[] }) {
  const live = useLive();
  return (
    <ul class="postings">
      {postings.map((posting) => {
        const amount = money(posting.amount);
        return (
          <li key={posting.id}>
            <details>
              <summary>
                <span class="posting-kind">{kindName(posting.kind, amount)}</span>
                <span class="posting-slot">
                  {posting.slot === null ? "" : dayRange(posting.slot, live.market.slotS, live.zone)}
                </span>
                <span class="posting-amount">{fineMoney(amount, live.currency)}</span>
              </summary>
              <div class="why">
                <p>{kindMeaning(posting.kind)}</p>
                <dl>
                  <dt>How</dt>
                  <dd>{posting.explain ? derivation(posting.explain, live.currency) : "posted as it is"}</dd>
                  <dt>Exactly</dt>
                  <dd>{exactMoney(amount, live.currency)}</dd>
                  <dt>Rule</dt>
                  <dd>{posting.rule}</dd>
                  {posting.trade !== null && (
                    <>
                      <dt>Trade</dt>
                      <dd>number {posting.trade} of the slot</dd>
                    </>
                  )}
                  {posting.cause && (
                    <>
                      <dt>Cause</dt>
                      <dd>{posting.cause}</dd>
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
