// A phone's client: sign in with a wallet, place an order, follow the trades that come of it.
//
//   node examples/phone_client/phone_client.ts http://127.0.0.1:8400
//
// Node 22.18 or newer runs it as it is. It prints one JSON object a line. Nothing is installed for
// it: WebCrypto, fetch and WebSocket are those of a browser, and the wallet is the dashboard's own,
// three files without a dependency.

import { generate, HOLD_TYP, JOIN_TYP, LOGIN_TYP, SHEET_TYP, SUPPLY_TYP, sign, type Signer } from "../../api/dashboard/src/wallet/tokens.ts";

const PROTOCOL = "graphql-transport-ws";
const SLOTS_AHEAD = 4; // gates of nearer slots may close while the order is signed
const ASK_MS = 500;
const WATCH_MS = 60_000; // a first telling comes at once; a market at real speed trades later

interface Place {
  readonly area: string;
  readonly channel: string;
  readonly contract: string;
}

interface Offer {
  readonly meter: string;
  readonly retailer: string;
  readonly fromSlot: number;
  readonly validUntil: number;
}

interface Gate {
  readonly start: number;
  readonly gate: number;
}

interface Home {
  readonly meter: string;
  readonly zone: string;
  readonly fromSlot: number;
}

interface Placed {
  readonly code: string;
  readonly sentence: string;
  readonly orders: readonly string[];
  readonly block: number | null;
}

/** A market's API, asked in the name of one wallet. */
class Market {
  readonly #address: string;
  readonly #signer: Signer;
  #accessToken = "";

  constructor(address: string, signer: Signer) {
    this.#address = address;
    this.#signer = signer;
  }

  /** What the API answers; throws its first error. */
  async ask<T>(query: string, variables: Readonly<Record<string, unknown>> = {}): Promise<T> {
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (this.#accessToken) headers["authorization"] = `Bearer ${this.#accessToken}`;
    const body = JSON.stringify({ query, variables });
    const answer = await fetch(`${this.#address}/graphql`, { method: "POST", headers, body });
    const read = (await answer.json()) as { data: T; errors?: { message: string }[] };
    if (read.errors?.[0]) throw new Error(read.errors[0].message);
    return read.data;
  }

  /** Prove the key: sign the nonce that the API gives out, once. */
  async signIn(): Promise<Place> {
    const { market } = await this.ask<{ market: Place }>("{ market { area channel contract } }");
    const { challenge } = await this.ask<{ challenge: { nonce: string; audience: string } }>(
      "mutation($did: ID!) { challenge(did: $did) { nonce audience } }",
      { did: this.#signer.did },
    );
    const token = await sign(this.#signer, LOGIN_TYP, {
      aud: challenge.audience,
      channel: market.channel,
      contract: market.contract,
      iat: Math.floor(Date.now() / 1000),
      nonce: challenge.nonce,
      origin: this.#address,
    });
    const { signIn } = await this.ask<{ signIn: { accessToken: string } }>(
      "mutation($token: String!) { signIn(token: $token) { accessToken } }",
      { token },
    );
    this.#accessToken = signIn.accessToken;
    return market;
  }

  /** The values that a subscription tells, one after the other. */
  async *subscribe<T>(query: string): AsyncGenerator<T> {
    const socket = new WebSocket(`${this.#address.replace(/^http/, "ws")}/graphql`, PROTOCOL);
    const told: T[] = [];
    let ended: Error | null = null;
    let wake = (): void => {};
    const end = (why: string): void => {
      ended ??= new Error(why);
      wake();
    };
    socket.addEventListener("close", (event) => end(`the socket closed with ${event.code}`));
    socket.addEventListener("open", () => {
      const payload = { authorization: `Bearer ${this.#accessToken}` };
      socket.send(JSON.stringify({ type: "connection_init", payload }));
    });
    socket.addEventListener("message", (message) => {
      const { type, payload } = JSON.parse(String(message.data)) as { type: string; payload?: unknown };
      if (type === "connection_ack") {
        socket.send(JSON.stringify({ id: "1", type: "subscribe", payload: { query } }));
      } else if (type === "ping") {
        socket.send(JSON.stringify({ type: "pong" }));
      } else if (type === "next") {
        told.push((payload as { data: T }).data);
        wake();
      } else if (type === "error" || type === "complete") {
        end(`the subscription ended: ${JSON.stringify(payload)}`);
      }
    });
    try {
      for (;;) {
        const next = told.shift();
        if (next !== undefined) yield next;
        else if (ended) throw ended;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      socket.close();
    }
  }
}

/**
 * A home to trade from: a demonstration offers one to a new wallet, which signs that it joins the home's retailer,
 * holds its meter, and agrees to its supply. In a real market the retailer and the grid operator ask for the same.
 */
async function moveIn(market: Market, signer: Signer, place: Place): Promise<Home> {
  const { offerHome } = await market.ask<{ offerHome: Offer }>(
    "mutation { offerHome { meter retailer fromSlot validUntil } }",
  );
  const { meter, retailer, fromSlot, validUntil } = offerHome;
  const named = { ...place, v: 1, valid_until_s: validUntil };
  const join = await sign(signer, JOIN_TYP, { ...named, number: 1, retailer });
  const hold = await sign(signer, HOLD_TYP, { ...named, meter });
  const supply = await sign(signer, SUPPLY_TYP, { ...named, from_slot: fromSlot, meter, retailer });
  const { enrol } = await market.ask<{ enrol: Home }>(
    "mutation($join: String!, $hold: String!, $supply: String!) { enrol(join: $join, hold: $hold, supply: $supply) { meter zone fromSlot } }",
    { join, hold, supply },
  );
  return enrol;
}

/** The slots that take orders of this home; a newcomer waits until its first slot opens. */
async function openSlots(market: Market, home: Home): Promise<Gate[]> {
  for (;;) {
    const open = await market.ask<{ market: { openSlots: Gate[] } }>("{ market { openSlots { start gate } } }");
    const slots = open.market.openSlots.filter((slot) => slot.start >= home.fromSlot);
    if (slots.length) return slots;
    await new Promise((resolve) => setTimeout(resolve, ASK_MS));
  }
}

/** Offer 60 Wh at any price down to -20 ct/kWh, in a slot whose gate stays open for a while. */
async function offer(market: Market, signer: Signer, place: Place, home: Home): Promise<Placed> {
  const slots = await openSlots(market, home);
  const slot = slots[Math.min(SLOTS_AHEAD, slots.length - 1)];
  if (!slot) throw new Error("no slot is open");
  const token = await sign(signer, SHEET_TYP, {
    area: place.area,
    channel: place.channel,
    contract: place.contract,
    meter: home.meter,
    orders: [{ id: `phone-${crypto.randomUUID().slice(0, 8)}`, side: "sell", slot: slot.start, steps: [[-200_000, 60]] }],
    v: 1,
    valid_until_s: slot.gate,
    zone: home.zone,
  });
  const { placeOrders } = await market.ask<{ placeOrders: Placed[] }>(
    "mutation($tokens: [String!]!) { placeOrders(tokens: $tokens) { code sentence orders block } }",
    { tokens: [token] },
  );
  if (!placeOrders[0]) throw new Error("the API gave no answer to the token");
  return placeOrders[0];
}

function tell(what: string, value: unknown): void {
  console.log(JSON.stringify({ [what]: value }));
}

const address = process.argv[2];
if (!address) throw new Error("usage: node phone_client.ts <address of a market>");
const signer = await generate();
const market = new Market(address.replace(/\/$/, ""), signer);
const place = await market.signIn();
tell("signedIn", signer.did);
const home = await moveIn(market, signer, place);
tell("home", home);
const placed = await offer(market, signer, place, home);
tell("placed", placed);
if (placed.code !== "PLACED") process.exit(1);
const giveUp = setTimeout(() => process.exit(0), WATCH_MS);
for await (const told of market.subscribe<{ myTrades: { slot: number; state: string; quantity: number } }>(
  "subscription { myTrades { id slot state quantity settled } }",
)) {
  tell("trade", told.myTrades);
  if (told.myTrades.state === "SETTLED") break;
}
clearTimeout(giveUp);
