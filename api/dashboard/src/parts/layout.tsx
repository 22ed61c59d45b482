// The pieces of a page: headings, cards, figures, explained words, names and states.

import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

/** A card with a heading. `span`: its columns of twelve on a large screen; `tall`: it is two cards high. */
export function Card({
  title,
  aside,
  span = 12,
  tall = false,
  children,
}: {
  title: string;
  aside?: ComponentChildren;
  span?: 4 | 5 | 6 | 7 | 8 | 12;
  tall?: boolean;
  children: ComponentChildren;
}) {
  const id = useId();
  return (
    <section class={`card span-${span}${tall ? " tall" : ""}`} aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {aside && <div class="aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}

/** A figure with its name; `exact` is shown when the pointer rests on it. */
export function Figure({
  name,
  value,
  exact,
  tone,
}: {
  name: ComponentChildren;
  value: ComponentChildren;
  exact?: string;
  tone?: "buy" | "sell" | "act";
}) {
  return (
    <div class="figure">
      <dt>{name}</dt>
      <dd class={tone ? `tone-${tone}` : undefined} title={exact}>
        {value}
      </dd>
    </div>
  );
}

export function Figures({ children }: { children: ComponentChildren }) {
  return <dl class="figures">{children}</dl>;
}

const TERMS = {
  imbalance: "The difference between the energy that was traded and the energy that the meter measured. The retailer settles it.",
  residual: "Energy that was used but not bought on the market. The retailer supplies it.",
  surplus: "Energy that was fed in but not sold on the market.",
  certificate: "Proof of where a measured amount of energy comes from. It is used up when the energy is consumed.",
  gate: "The moment after which orders for a slot can no longer be placed or changed.",
  draw: "Ties between equal orders are drawn. After the gate each of these members reveals its part of the seed. A member that withholds it has two outcomes to choose from.",
  limit: "The worst price that an order accepts. A trade may be at a better price, never at a worse one.",
  reserved: "Money that is set aside for open orders and for trades that are not settled yet.",
  slot: "A quarter of an hour in which energy is delivered.",
  zone: "A part of the grid in which everybody has the same price in a slot.",
  estimated: "The meter did not answer in time. The amount is an estimate and is corrected when the reading arrives.",
  exposure: "What clients could owe: money reserved for their orders, and negative balances. The retailer answers for it.",
  exportPower: "The limit up to which this meter may feed in and draw. An order cannot be larger.",
} as const;

/** A technical word with its explanation, shown when the pointer or the focus is on it. */
export function Term({ of, children }: { of: keyof typeof TERMS; children: ComponentChildren }) {
  const id = useId();
  return (
    <span class="term" tabIndex={0} aria-describedby={id}>
      {children}
      <span class="tip" role="tooltip" id={id}>
        {TERMS[of]}
      </span>
    </span>
  );
}

/** The heading of a page and a sentence about what the page shows. */
export function Head({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="head span-12">
      <h1>{title}</h1>
      {children && <p>{children}</p>}
    </div>
  );
}

/** A short form of a did:key; the whole DID is shown when the pointer rests on it. */
export function Name({ did }: { did: string }) {
  if (!did.startsWith("did:key:")) return <span>{did}</span>;
  const short = `${did.slice(8, 13)}…${did.slice(-6)}`;
  return (
    <span class="name" title={did}>
      {short}
    </span>
  );
}

/** A state as a word with a mark, so that colour is never the only sign. */
export function State({ word, tone }: { word: string; tone: "good" | "wait" | "act" | "calm" }) {
  return <span class={`state state-${tone}`}>{word}</span>;
}
