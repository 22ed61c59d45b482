// A household's home page: what it trades now, today's price, its open orders and its account.

import { energy, exactMoney, money, price, signedMoney } from "../../format/figures.ts";
import { dayStart, range, slotOf } from "../../format/times.ts";
import { Card, Figure, Figures, Term } from "../../parts/layout.tsx";
import { Empty, Shown, Skeleton } from "../../parts/states.tsx";
import { useAsk, useLive, useTick } from "../../transport/live.ts";
import type { Balance, Order, Page, PricePoint, Reading } from "../../transport/types.ts";
import { PriceChart } from "../market/price_chart.tsx";
import { Trail } from "../orders/order_trail.tsx";
import { useEarned } from "./earned.ts";
import { sentence, sides, type Side, type Traded } from "./summary.ts";

const NOW = `query Now($slot: Time!, $zone: ID!, $from: Time!, $to: Time!) {
  myTrades(first: 50, slot: $slot) { nodes { side quantity buyPrice sellPrice } }
  myOrders(first: 5, openOnly: true) { nodes { id slot side quantity limit state } totalCount }
  prices(zone: $zone, from: $from, to: $to) { slot zone price volume orders trades }
  balance { amount available reserved }
}`;

interface NowData {
  myTrades: { nodes: Traded[] };
  myOrders: Page<Pick<Order, "id" | "slot" | "side" | "quantity" | "limit" | "state">>;
  prices: PricePoint[];
  balance: Pick<Balance, "amount" | "available" | "reserved">;
}

export function Home() {
  const live = useLive();
  useTick(1000);
  const { slotS } = live.market;
  const slot = slotOf(live.now(), slotS);
  const today = dayStart(slot, live.zone);
  const meter = live.viewer?.meters[0];
  const asked = useAsk<NowData>(NOW, {
    slot,
    zone: meter?.zone ?? "",
    from: today,
    to: slot + 8 * slotS,
  });
  const earned = useEarned(today);
  return (
    <>
      <div class="answer span-12">
        <h1 class="unseen">Home</h1>
        {asked.data ? (
          <p class="answer-line" aria-live="off">
            <span class="answer-when">Now {range(slot, slotS, live.zone)}:</span>{" "}
            {sentence(sides(asked.data.myTrades.nodes), earned, live.currency)}.
          </p>
        ) : (
          !asked.fault && <Skeleton lines={1} />
        )}
      </div>
      <Card title="Right now" span={5}>
        <Shown asked={asked} tall>
          {(data) => <Flow {...sides(data.myTrades.nodes)} reading={meter?.lastReading ?? null} />}
        </Shown>
      </Card>
      <Card title="Price today" span={7} aside={meter ? `zone ${meter.zone}` : undefined}>
        <Shown asked={asked} tall>
          {(data) => <PriceChart points={data.prices} />}
        </Shown>
      </Card>
      <Card title="Your orders" span={7} aside={<a href="#/trade">Trade</a>}>
        <Shown asked={asked}>{(data) => <Open orders={data.myOrders.nodes} total={data.myOrders.totalCount} />}</Shown>
      </Card>
      <Card title="Your account" span={5} aside={<a href="#/statements?show=postings">See every amount</a>}>
        <Shown asked={asked}>
          {(data) => (
            <Figures>
              <Figure
                name="Balance"
                value={signedMoney(money(data.balance.amount), live.currency)}
                exact={exactMoney(money(data.balance.amount), live.currency)}
              />
              <Figure name="Free for new orders" value={signedMoney(money(data.balance.available), live.currency)} />
              <Figure
                name={<Term of="reserved">Reserved</Term>}
                value={signedMoney(money(data.balance.reserved), live.currency)}
              />
              <Figure name="Today" value={earned === null ? "…" : signedMoney(earned, live.currency)} />
            </Figures>
          )}
        </Shown>
      </Card>
    </>
  );
}

const OPEN = new Set<string>(["LISTED", "MATCHED", "EXECUTING"]);

function Open({ orders, total }: { orders: NowData["myOrders"]["nodes"]; total: number }) {
  const live = useLive();
  const open = orders.filter((order) => OPEN.has(order.state));
  if (!open.length) {
    return (
      <Empty>
        You have no open orders. <a href="#/trade?side=sell">Offer electricity</a> or{" "}
        <a href="#/trade?side=buy">ask for some</a>.
      </Empty>
    );
  }
  return (
    <>
      <ul class="orders">
        {open.map((order) => (
          <li key={order.id}>
            <p>
              <b class={order.side === "SELL" ? "tone-sell" : "tone-buy"}>{order.side === "SELL" ? "Sell" : "Buy"}</b>{" "}
              {energy(order.quantity)} <span class="nowrap">{range(order.slot, live.market.slotS, live.zone)}</span>{" "}
              <span class="nowrap">
                {order.side === "SELL" ? "for at least" : "for at most"} {price(order.limit, live.currency)}
              </span>
            </p>
            <Trail state={order.state} />
          </li>
        ))}
      </ul>
      {total > orders.length && (
        <p>
          <a href="#/trade">See {total - orders.length} more</a>
        </p>
      )}
    </>
  );
}

/** A drawing of the home and its neighbours with the energy traded now, and the last meter reading. */
function Flow({ sold, bought, reading }: { sold: Side | null; bought: Side | null; reading: Reading | null }) {
  const live = useLive();
  const said = [
    sold && `you sell ${energy(sold.quantity)} to your neighbours`,
    bought && `you buy ${energy(bought.quantity)} from your neighbours`,
  ].filter(Boolean);
  return (
    <>
      <svg class="flow" viewBox="0 0 360 150" role="img" aria-label={said.join(" and ") || "You trade no energy now"}>
        <path class="edge" d="M112 62H248" />
        <path class="edge" d="M112 88H248" />
        {sold && <path class="stream stream-sell" d="M112 62H248" />}
        {bought && <path class="stream stream-buy" d="M248 88H112" />}
        {sold && (
          <text x="180" y="46" class="flow-figure tone-sell">
            {energy(sold.quantity)}
          </text>
        )}
        {bought && (
          <text x="180" y="114" class="flow-figure tone-buy">
            {energy(bought.quantity)}
          </text>
        )}
        {!sold && !bought && (
          <text x="180" y="46" class="flow-faint">
            no trade now
          </text>
        )}
        <g class="node">
          <path d="M70 38L110 66V110H30V66Z" />
          <text x="70" y="134">
            You
          </text>
        </g>
        <g class="node">
          <path d="M276 54L300 38L324 54V84H276Z" />
          <path d="M254 80L276 66L298 80V110H254Z" />
          <path d="M302 80L324 66L346 80V110H302Z" />
          <text x="300" y="134">
            Neighbours
          </text>
        </g>
      </svg>
      {reading ? (
        <p class="faint">
          Your meter, {range(reading.slot, live.market.slotS, live.zone)}: {energy(reading.import)} drawn from the grid,{" "}
          {energy(reading.export)} fed in
          .
        </p>
      ) : (
        <p class="faint">Your meter has not reported a reading yet.</p>
      )}
    </>
  );
}
