// Where a household places an order: the form, the orders of others, the price, its own orders.

import { useState } from "preact/hooks";
import { price } from "../../format/figures.ts";
import { clock, day, range, slotOf } from "../../format/times.ts";
import { Card, Head } from "../../parts/layout.tsx";
import { useRoute } from "../../parts/route.ts";
import { Empty, Shown } from "../../parts/states.tsx";
import { useAsk, useLive, useTick } from "../../transport/live.ts";
import type { Book, Meter, PricePoint, Side } from "../../transport/types.ts";
import { DepthChart } from "../market/depth_chart.tsx";
import { PriceChart } from "../market/price_chart.tsx";
import { MyOrders } from "./my_orders.tsx";
import { OrderForm } from "./order_form.tsx";

const BOOK = `query Depth($slot: Time!, $zone: ID!) {
  book(slot: $slot, zone: $zone) { buys { price quantity } sells { price quantity } clearingPrice block }
}`;
const HISTORY = `query History($zone: ID!, $from: Time!, $to: Time!) {
  prices(zone: $zone, from: $from, to: $to) { slot zone price volume orders trades }
}`;

// A person needs this long to read an order before the gate of its slot closes.
const READING_S = 8;

// The first slot in which one of the meters takes part; null while nobody supplies any of them.
function firstSlotOf(meters: readonly Meter[]): number | null {
  const slots = meters.flatMap((each) => (each.firstSlot === null ? [] : [each.firstSlot]));
  return slots.length ? Math.min(...slots) : null;
}

function whyClosed(first: number | null, now: number, zone: string): string {
  if (first === null) return "Nobody supplies your meter. You can trade once a retailer has accepted its supply.";
  if (first > now)
    return `You can trade from ${day(first, zone)}, ${clock(first, zone)}. The form appears when that time opens for orders.`;
  return "No slot takes orders at the moment. The form appears when the next one opens.";
}

export function TradePage() {
  const live = useLive();
  const route = useRoute();
  useTick(1000);
  const meters = live.viewer?.meters ?? [];
  const sells = meters.some((each) => each.exportPower > 0);
  const wished = route.query.get("side");
  const [side, setSide] = useState<Side>(wished === "sell" || (wished !== "buy" && sells) ? "SELL" : "BUY");
  const [slot, setSlot] = useState<number | null>(null);
  const now = live.now();
  const first = firstSlotOf(meters);
  const all = live.market.openSlots.filter((each) => each.gate > now);
  const open = all.filter((each) => first !== null && each.start >= first);
  const unhurried = open.find((each) => (each.gate - now) / live.market.rate >= READING_S) ?? open[0];
  const terms = open.find((each) => each.start === slot) ?? unhurried;
  const watched = terms ?? all[0]; // others trade before a newcomer can
  const meter = meters[0];
  const zone = meter?.zone ?? "";
  const here = slotOf(now, live.market.slotS);
  const book = useAsk<{ book: Book }>(BOOK, watched ? { slot: watched.start, zone } : null);
  const history = useAsk<{ prices: PricePoint[] }>(HISTORY, {
    zone,
    from: here - 48 * live.market.slotS,
    to: here + 8 * live.market.slotS,
  });
  const last = history.data?.prices.findLast((point) => point.price !== null);
  if (!meter) return null;
  return (
    <>
      <Head title="Trade">
        {last ? (
          <>
            The last price in zone {zone} was <b>{price(last.price ?? 0, live.currency)}</b>, for{" "}
            {range(last.slot, live.market.slotS, live.zone)}.
          </>
        ) : (
          `There is no price in zone ${zone} yet.`
        )}
      </Head>
      <Card title="New order" span={5} tall>
        {terms ? (
          <OrderForm
            side={side}
            setSide={setSide}
            open={open}
            terms={terms}
            chooseSlot={setSlot}
            meters={meters.filter((each) => each.firstSlot !== null && each.firstSlot <= terms.start)}
            last={last?.price ?? null}
          />
        ) : (
          <Empty>{whyClosed(first, now, live.zone)}</Empty>
        )}
      </Card>
      <Card
        title="Wanted and offered"
        span={7}
        aside={watched ? range(watched.start, live.market.slotS, live.zone) : undefined}
      >
        {watched && (
          <Shown asked={book} tall>
            {(data) => <DepthChart book={data.book} />}
          </Shown>
        )}
      </Card>
      <Card title="Price" span={7} aside={`zone ${zone}, last 12 hours`}>
        <Shown asked={history} tall>
          {(data) => <PriceChart points={data.prices} height={160} />}
        </Shown>
      </Card>
      <Card title="Your orders" span={12}>
        <MyOrders />
      </Card>
    </>
  );
}
