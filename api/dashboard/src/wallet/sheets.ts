// What a trader signs: as the contract reads it, and in words.

import { energy, price } from "../format/figures.ts";
import { range } from "../format/times.ts";
import { AMEND_TYP, CANCEL_TYP, HOLD_TYP, JOIN_TYP, SHEET_TYP, SUPPLY_TYP, sign, type Signer } from "./tokens.ts";

export type Side = "BUY" | "SELL";

const VALID_S = 10 * 86_400; // of a join and a hold, in market time

/** The area, the channel and the contract for which a signature is valid. */
export interface Place {
  readonly area: string;
  readonly channel: string;
  readonly contract: string;
}

/** An order as a person enters it. */
export interface Wish {
  readonly side: Side;
  readonly slot: number;
  readonly quantity: number;
  readonly limit: number;
}

/** What `words` needs to know about the market. */
export interface Terms {
  readonly slotS: number;
  readonly timeZone: string;
  readonly currency: string;
}

/** "Sell up to 1.5 kWh between 12:15 and 12:30 for at least 10.00 ct/kWh." */
export function words(wish: Wish, terms: Terms): string {
  const [from, to] = range(wish.slot, terms.slotS, terms.timeZone).split("\u2013");
  const verb = wish.side === "SELL" ? "Sell" : "Buy";
  const bound = wish.side === "SELL" ? "at least" : "at most";
  return `${verb} up to ${energy(wish.quantity)} between ${from} and ${to} for ${bound} ${price(wish.limit, terms.currency)}.`;
}

/** A random id for an order, so that it reveals nothing. */
export function clientId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return `w-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** The signed token for orders at one meter; it can be carried until `gate`, that of the last slot. */
export function signSheet(
  signer: Signer,
  place: Place,
  meter: { readonly id: string; readonly zone: string },
  wishes: readonly (Wish & { readonly id: string })[],
  gate: number,
): Promise<string> {
  return sign(signer, SHEET_TYP, {
    area: place.area,
    channel: place.channel,
    contract: place.contract,
    meter: meter.id,
    orders: wishes.map((wish) => ({
      id: wish.id,
      side: wish.side === "SELL" ? "sell" : "buy",
      slot: wish.slot,
      steps: [[wish.limit, wish.quantity]],
    })),
    v: 1,
    valid_until_s: gate,
    zone: meter.zone,
  });
}

/** The signed token that changes the quantity and the limit of an open order, until its gate. */
export function signAmend(
  signer: Signer,
  place: Place,
  order: { readonly clientId: string; readonly slot: number; readonly revision: number },
  step: { readonly limit: number; readonly quantity: number },
  gate: number,
): Promise<string> {
  return sign(signer, AMEND_TYP, {
    area: place.area,
    channel: place.channel,
    contract: place.contract,
    id: order.clientId,
    revision: order.revision + 1,
    slot: order.slot,
    steps: [[step.limit, step.quantity]],
    v: 1,
    valid_until_s: gate,
  });
}

/** The signed token that withdraws an open order, until its gate. */
export function signCancel(
  signer: Signer,
  place: Place,
  order: { readonly clientId: string; readonly slot: number },
  gate: number,
): Promise<string> {
  return sign(signer, CANCEL_TYP, {
    area: place.area,
    channel: place.channel,
    contract: place.contract,
    id: order.clientId,
    slot: order.slot,
    v: 1,
    valid_until_s: gate,
  });
}

/** The signed token of a new wallet's first join: it becomes a client of a retailer. */
export function signJoin(signer: Signer, place: Place, retailer: string, now: number): Promise<string> {
  return sign(signer, JOIN_TYP, {
    area: place.area,
    channel: place.channel,
    contract: place.contract,
    number: 1,
    retailer,
    v: 1,
    valid_until_s: Math.floor(now) + VALID_S,
  });
}

/** The signed token by which a trader says that it holds a meter. */
export function signHold(signer: Signer, place: Place, meter: string, now: number): Promise<string> {
  return sign(signer, HOLD_TYP, {
    area: place.area,
    channel: place.channel,
    contract: place.contract,
    meter,
    v: 1,
    valid_until_s: Math.floor(now) + VALID_S,
  });
}

/** The signed token by which the holder of a meter agrees to a retailer. */
export function signSupply(
  signer: Signer,
  place: Place,
  offer: { readonly meter: string; readonly retailer: string; readonly fromSlot: number; readonly validUntil: number },
): Promise<string> {
  return sign(signer, SUPPLY_TYP, {
    area: place.area,
    channel: place.channel,
    contract: place.contract,
    from_slot: offer.fromSlot,
    meter: offer.meter,
    retailer: offer.retailer,
    v: 1,
    valid_until_s: offer.validUntil,
  });
}
