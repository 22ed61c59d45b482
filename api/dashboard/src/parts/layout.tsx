// Pieces that pages are laid out with.

import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

/** A card with a heading; `span` of twelve columns of a large screen; a `tall` one has two beside it. */
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

/** A figure with its name; `exact` is shown on demand. */
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
  imbalance: "The difference between what was traded and what the meter saw; the retailer settles it.",
  residual: "Energy used beyond what was bought on the market; the retailer supplies it.",
  surplus: "Energy fed in beyond what was sold on the market.",
  certificate: "Proof of origin for a metered amount of local energy; whoever uses the energy retires it.",
  gate: "The moment after which orders for a slot can no longer be placed or changed.",
  limit: "The worst price that an order accepts. Trades are never worse, often better.",
  reserved: "Money held for open orders and for trades that are not settled yet.",
  slot: "A quarter of an hour of delivery.",
  zone: "A part of the grid with one price in each slot.",
  estimated: "The meter did not answer in time; the amount is estimated and corrected when its reading comes.",
  exposure: "What clients could come to owe: reserved and negative amounts that the retailer stands in for.",
  exportPower: "The most that the meter may feed in; an offer cannot be larger.",
} as const;

/** A word of the field, explained on hover and focus. */
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

/** The page's heading and what it answers. */
export function Head({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="head span-12">
      <h1>{title}</h1>
      {children && <p>{children}</p>}
    </div>
  );
}

/** A did:key cut to what tells it apart, whole on demand. */
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
