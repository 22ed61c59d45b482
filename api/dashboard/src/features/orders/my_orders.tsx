// A household's orders and how far each has come; it can change or withdraw an open one.

import { useId, useState } from "preact/hooks";
import { energy, price, priceUnit, typeable, typedEnergy, typedPrice } from "../../format/figures.ts";
import { dayRange } from "../../format/times.ts";
import { Empty, Shown } from "../../parts/states.tsx";
import { Fault } from "../../transport/calls.ts";
import { askNoted, changed, useAsk, useLive } from "../../transport/live.ts";
import type { Order, Page, TokenResult } from "../../transport/types.ts";
import { signAmend, signCancel, words } from "../../wallet/sheets.ts";
import { Trail } from "./order_trail.tsx";
import { isTaken, Refusal, type Refused } from "./token_result.tsx";

const ORDERS = `query MyOrders($first: Int!) {
  myOrders(first: $first) {
    nodes { id clientId slot meter zone side quantity limit state matched settled revision leftOut placed block }
    pageInfo { hasNextPage endCursor } totalCount
  }
}`;
const CANCEL = `mutation Cancel($tokens: [String!]!) { cancelOrders(tokens: $tokens) { code sentence remedy orders transaction block } }`;
const AMEND = `mutation Amend($tokens: [String!]!) { amendOrders(tokens: $tokens) { code sentence remedy orders transaction block } }`;

export function MyOrders() {
  const [first, setFirst] = useState(10);
  const asked = useAsk<{ myOrders: Page<Order> }>(ORDERS, { first });
  return (
    <Shown asked={asked} lines={4}>
      {({ myOrders }) =>
        myOrders.nodes.length ? (
          <>
            <ul class="orders">
              {myOrders.nodes.map((order) => (
                <Row key={order.id} order={order} />
              ))}
            </ul>
            {myOrders.pageInfo.hasNextPage && first < 100 && (
              <button type="button" class="quiet" onClick={() => setFirst(Math.min(100, first + 20))}>
                Show more
              </button>
            )}
          </>
        ) : (
          <Empty>You have no orders yet. Place one with the form above.</Empty>
        )
      }
    </Shown>
  );
}

function Row({ order }: { order: Order }) {
  const live = useLive();
  const [mode, setMode] = useState<"none" | "change" | "withdraw">("none");
  const [trouble, setTrouble] = useState<Refused | null>(null);
  const gate = live.market.openSlots.find((slot) => slot.start === order.slot)?.gate ?? 0;
  const open = order.state === "LISTED" && gate > live.now();

  const send = async (mutation: string, token: Promise<string>) => {
    try {
      const data = await askNoted<Record<string, TokenResult[]>>(mutation, { tokens: [await token] });
      const result = Object.values(data)[0]?.[0];
      setTrouble(result && !isTaken(result) ? result : null);
      setMode("none");
      changed();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      setTrouble({ code: error.code, sentence: error.message, remedy: error.remedy });
    }
  };
  const { signer } = live;
  return (
    <li>
      <p>
        <b class={order.side === "SELL" ? "tone-sell" : "tone-buy"}>{order.side === "SELL" ? "Sell" : "Buy"}</b>{" "}
        {energy(order.quantity)} <span class="nowrap">{dayRange(order.slot, live.market.slotS, live.zone)}</span>{" "}
        <span class="nowrap">
          {order.side === "SELL" ? "for at least" : "for at most"} {price(order.limit, live.currency)}
        </span>
        {order.matched > 0 && <span class="faint"> · matched {energy(order.matched)}</span>}
        {order.settled > 0 && <span class="faint"> · settled {energy(order.settled)}</span>}
        {order.leftOut && <span class="faint"> · not in the auction: {order.leftOut}</span>}
        <span class="faint"> · block {order.block}</span>
      </p>
      <Trail state={order.state} />
      {open && signer && mode === "none" && (
        <div class="row">
          <button type="button" class="quiet" onClick={() => setMode("change")}>
            Change
          </button>
          <button type="button" class="quiet" onClick={() => setMode("withdraw")}>
            Withdraw
          </button>
        </div>
      )}
      {open && signer && mode === "withdraw" && (
        <div class="signs">
          <p>You sign: Withdraw this order. It will not be traded.</p>
          <div class="row">
            <button type="button" onClick={() => void send(CANCEL, signCancel(signer, live.market, order, gate))}>
              Sign and withdraw
            </button>
            <button type="button" class="quiet" onClick={() => setMode("none")}>
              Keep the order
            </button>
          </div>
        </div>
      )}
      {open && signer && mode === "change" && (
        <Change
          order={order}
          close={() => setMode("none")}
          sign={(step) => void send(AMEND, signAmend(signer, live.market, order, step, gate))}
        />
      )}
      {trouble && <Refusal {...trouble} />}
    </li>
  );
}

function Change({
  order,
  close,
  sign,
}: {
  order: Order;
  close: () => void;
  sign: (step: { quantity: number; limit: number }) => void;
}) {
  const live = useLive();
  const id = useId();
  const [quantityText, setQuantityText] = useState(typeable(order.quantity, 3));
  const [priceText, setPriceText] = useState(typeable(order.limit, 4));
  const quantity = typedEnergy(quantityText);
  const limit = typedPrice(priceText);
  const right = quantity !== null && quantity > 0 && limit !== null;
  const market = { slotS: live.market.slotS, timeZone: live.zone, currency: live.currency };
  return (
    <form
      class="signs change"
      onSubmit={(event) => {
        event.preventDefault();
        if (right) sign({ quantity, limit });
      }}
    >
      <div class="row">
        <label for={`${id}-q`}>
          kWh
          <input id={`${id}-q`} inputMode="decimal" value={quantityText} onInput={(e) => setQuantityText(e.currentTarget.value)} />
        </label>
        <label for={`${id}-p`}>
          {priceUnit(live.currency)}
          <input id={`${id}-p`} inputMode="decimal" value={priceText} onInput={(e) => setPriceText(e.currentTarget.value)} />
        </label>
      </div>
      <p>{right ? `You sign: ${words({ side: order.side, slot: order.slot, quantity, limit }, market)}` : "Enter an amount and a price."}</p>
      <div class="row">
        <button type="submit" disabled={!right}>
          Sign the change
        </button>
        <button type="button" class="quiet" onClick={close}>
          Keep the order
        </button>
      </div>
    </form>
  );
}
