// The form of an order. It keeps what was typed even when the connection is lost.

import { useId, useRef, useState } from "preact/hooks";
import { energy, price, priceUnit, power, signedMoney, typeable, typedEnergy, typedPrice, worth } from "../../format/figures.ts";
import { range, span } from "../../format/times.ts";
import { Term } from "../../parts/layout.tsx";
import { Fault } from "../../transport/calls.ts";
import { askNoted, changed, useAsk, useLive } from "../../transport/live.ts";
import type { Meter, OrderState, Side, SlotTerms, TokenResult } from "../../transport/types.ts";
import { clientId, signSheet, words, type Wish } from "../../wallet/sheets.ts";
import { Trail } from "./order_trail.tsx";
import { isTaken, Refusal } from "./token_result.tsx";

const PROPOSAL = `query Proposal($slot: Time!, $meter: ID!) { offerProposal(slot: $slot, meter: $meter) { slot quantity certified basis } }`;
const PLACE = `mutation Place($tokens: [String!]!) {
  placeOrders(tokens: $tokens) { code sentence remedy orders transaction block }
}`;
const STATE = `query Placed($id: ID!) { order(id: $id) { id state } }`;
const PRICE_DEFAULT = 100_000; // 10 hundredths per kWh, where no slot has cleared yet
const AHEAD_MAX = 8;
const NOT_CERTIFIED: Readonly<Record<Side, string>> = {
  SELL: "Your meter is not certified to feed in, so you cannot sell.",
  BUY: "Your meter is not certified to draw from the grid, so you cannot buy.",
};

interface Said {
  readonly words: string;
  readonly result: TokenResult | null;
  readonly fault: Fault | null;
}

export function OrderForm(props: {
  side: Side;
  setSide: (side: Side) => void;
  open: readonly SlotTerms[];
  terms: SlotTerms;
  chooseSlot: (slot: number | null) => void;
  meters: readonly Meter[];
  last: number | null;
}) {
  const { side, open, terms, meters } = props;
  const live = useLive();
  const id = useId();
  const [meterId, setMeterId] = useState(meters[0]?.id ?? "");
  const meter = meters.find((each) => each.id === meterId) ?? meters[0];
  const [quantityText, setQuantityText] = useState<string | null>(null);
  const [priceText, setPriceText] = useState<string | null>(null);
  const [ahead, setAhead] = useState(1);
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState<Said | null>(null);
  const [touched, setTouched] = useState(false);
  const answer = useRef<HTMLDivElement>(null);

  const proposal = useAsk<{ offerProposal: { quantity: number; certified: number; basis: string } }>(
    PROPOSAL,
    side === "SELL" && meter ? { slot: terms.start, meter: meter.id } : null,
  );
  const proposed = proposal.data?.offerProposal ?? null;
  const watts = side === "SELL" ? (meter?.exportPower ?? 0) : (meter?.importPower ?? 0);
  const certified = Math.floor((watts * live.market.slotS) / 3600);
  const quantityShown =
    quantityText ?? (side === "SELL" && proposed && proposed.quantity > 0 ? typeable(proposed.quantity, 3) : "");
  const priceShown = priceText ?? typeable(props.last ?? PRICE_DEFAULT, 4);
  const quantity = typedEnergy(quantityShown);
  const limit = typedPrice(priceShown);
  const quantityFault = faultOfQuantity(quantity, quantityShown, certified, side, touched || quantityText !== null);
  const priceFault =
    limit === null
      ? "Enter a price, for example 10.5."
      : limit < terms.priceMin || limit > terms.priceMax
        ? `Enter a price between ${price(terms.priceMin, live.currency)} and ${price(terms.priceMax, live.currency)}.`
        : null;
  const slots = open.slice(open.indexOf(terms), open.indexOf(terms) + ahead);
  const wishes: Wish[] =
    quantity && quantity > 0 && limit !== null && !quantityFault && !priceFault
      ? slots.map((slot) => ({ side, slot: slot.start, quantity, limit }))
      : [];
  const market = { slotS: live.market.slotS, timeZone: live.zone, currency: live.currency };

  const submit = async (event: Event) => {
    event.preventDefault();
    setTouched(true);
    if (!wishes.length || !live.signer || !meter || busy) return;
    setBusy(true);
    const signed = wishes.map((wish) => words(wish, market)).join(" ");
    try {
      const named = wishes.map((wish) => ({ ...wish, id: clientId() }));
      const gate = Math.max(...slots.map((slot) => slot.gate));
      const token = await signSheet(live.signer, live.market, meter, named, gate);
      const data = await askNoted<{ placeOrders: TokenResult[] }>(PLACE, { tokens: [token] });
      const result = data.placeOrders[0] ?? null;
      setSaid({ words: signed, result, fault: null });
      if (isTaken(result)) {
        setQuantityText(null);
        setTouched(false);
      }
      changed();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      setSaid({ words: signed, result: null, fault: error });
    } finally {
      setBusy(false);
      answer.current?.focus();
    }
  };

  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <fieldset class="sides">
        <legend class="unseen">Sell or buy</legend>
        {(["SELL", "BUY"] as const).map((each) => (
          <label key={each} class={each === "SELL" ? "side-sell" : "side-buy"}>
            <input
              type="radio"
              name={`${id}-side`}
              checked={side === each}
              onChange={() => {
                props.setSide(each);
                setQuantityText(null);
                setTouched(false);
              }}
            />
            <span>{each === "SELL" ? "Sell" : "Buy"}</span>
          </label>
        ))}
      </fieldset>

      <Field
        id={`${id}-quantity`}
        label="How much"
        unit="kWh"
        value={quantityShown}
        onInput={setQuantityText}
        fault={quantityFault}
        hint={
          certified === 0
            ? NOT_CERTIFIED[side]
            : side === "SELL" && proposed
              ? `${proposed.basis} You can offer up to ${energy(proposed.certified)}.`
              : `Up to ${energy(certified)} in a slot.`
        }
      />
      <Field
        id={`${id}-price`}
        label={side === "SELL" ? "Lowest price" : "Highest price"}
        unit={priceUnit(live.currency)}
        value={priceShown}
        onInput={setPriceText}
        fault={priceFault}
        hint={`Between ${price(terms.priceMin, live.currency)} and ${price(terms.priceMax, live.currency)}.${
          props.last !== null && priceText === null ? " The last price is filled in." : ""
        }`}
      />
      {side === "SELL" && terms.shortfallPenalty > 0 && (
        <p class="hint">
          You pay the buyer {price(terms.shortfallPenalty, live.currency)} for energy that you sell and do not deliver.
          This amount is reserved when the slot is cleared.
        </p>
      )}

      <details class="more">
        <summary>More choices</summary>
        <label class="field" for={`${id}-slot`}>
          <span>Time of delivery</span>
          <select
            id={`${id}-slot`}
            value={String(terms.start)}
            onChange={(event) => props.chooseSlot(Number(event.currentTarget.value))}
          >
            {open.map((slot) => (
              <option key={slot.start} value={String(slot.start)}>
                {range(slot.start, live.market.slotS, live.zone)}
              </option>
            ))}
          </select>
        </label>
        <label class="field" for={`${id}-ahead`}>
          <span>Number of slots in a row</span>
          <select id={`${id}-ahead`} value={String(ahead)} onChange={(event) => setAhead(Number(event.currentTarget.value))}>
            {Array.from({ length: Math.min(AHEAD_MAX, open.length - open.indexOf(terms)) }, (_, index) => (
              <option key={index} value={String(index + 1)}>
                {index + 1}
              </option>
            ))}
          </select>
        </label>
        {meters.length > 1 && (
          <label class="field" for={`${id}-meter`}>
            <span>Meter</span>
            <select id={`${id}-meter`} value={meter?.id} onChange={(event) => setMeterId(event.currentTarget.value)}>
              {meters.map((each) => (
                <option key={each.id} value={each.id}>
                  {each.id} (zone {each.zone})
                </option>
              ))}
            </select>
          </label>
        )}
        {meter && (
          <p class="faint">
            This meter is <Term of="exportPower">certified</Term> to feed in up to {power(meter.exportPower)} and to draw up
            to {power(meter.importPower)}.
          </p>
        )}
      </details>

      <div class="signs">
        <p class="signs-head">You sign</p>
        {wishes.length ? (
          <ul>
            {wishes.map((wish) => (
              <li key={wish.slot}>{words(wish, market)}</li>
            ))}
          </ul>
        ) : (
          <p class="faint">Fill in both fields to read here what you sign.</p>
        )}
        {wishes.length > 0 && (
          <p class="faint">
            {side === "SELL" ? "If all of it is sold, you get at least " : "You pay at most "}
            {signedMoney(total(wishes), live.currency).replace(/^[+−]/, "")} before fees. Orders are taken for another{" "}
            {span((terms.gate - live.now()) / live.market.rate)}.
          </p>
        )}
      </div>
      <button class={side === "SELL" ? "primary sell" : "primary buy"} type="submit" disabled={busy || !live.market.writable}>
        {busy ? "Signing and sending…" : side === "SELL" ? "Sign and offer" : "Sign and ask"}
      </button>
      <div ref={answer} tabIndex={-1} class="said" aria-live="polite">
        {said && <Answer said={said} />}
      </div>
    </form>
  );
}

function total(wishes: readonly Wish[]): bigint {
  return wishes.reduce((nano, wish) => nano + worth(wish.quantity, wish.limit), 0n);
}

function faultOfQuantity(quantity: number | null, shown: string, certified: number, side: Side, told: boolean): string | null {
  if (!shown.trim() && !told) return null;
  if (quantity === null || quantity <= 0) return "Enter an amount with up to three decimals, for example 1.5.";
  if (certified === 0) return NOT_CERTIFIED[side];
  if (quantity > certified) return `Enter at most ${energy(certified)}: your meter is certified for no more in a slot.`;
  return null;
}

function Field(props: {
  id: string;
  label: string;
  unit: string;
  value: string;
  onInput: (text: string) => void;
  fault: string | null;
  hint: string;
}) {
  return (
    <div class="field">
      <label for={props.id}>{props.label}</label>
      <span class="with-unit">
        <input
          id={props.id}
          inputMode="decimal"
          autoComplete="off"
          value={props.value}
          onInput={(event) => props.onInput(event.currentTarget.value)}
          aria-invalid={props.fault ? "true" : undefined}
          aria-describedby={`${props.id}-note`}
        />
        <span class="unit">{props.unit}</span>
      </span>
      <p id={`${props.id}-note`} class={props.fault ? "note wrong" : "note"}>
        {props.fault ?? props.hint}
      </p>
    </div>
  );
}

function Answer({ said }: { said: Said }) {
  const { result, fault } = said;
  if (result && isTaken(result)) {
    return (
      <div class="placed">
        <p>
          <b>Placed.</b> {said.words}
        </p>
        {result.orders.map((order) => (
          <Placed key={order} id={order} />
        ))}
      </div>
    );
  }
  if (result) return <Refusal {...result} />;
  return <Refusal code={fault?.code ?? ""} sentence={fault?.message ?? "The market did not answer."} remedy={fault?.remedy ?? null} />;
}

function Placed({ id }: { id: string }) {
  const asked = useAsk<{ order: { id: string; state: OrderState } | null }>(STATE, { id });
  return <Trail state={asked.data?.order?.state ?? "LISTED"} />;
}
