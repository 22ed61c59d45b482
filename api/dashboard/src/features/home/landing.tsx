// The first page of a visitor: the market as it is now, and beside it the ways to take part.

import { useState } from "preact/hooks";
import { count, energy, priceUnit } from "../../format/figures.ts";
import { dayStart, range, slotOf, span } from "../../format/times.ts";
import { Card, Figure, Figures, Term } from "../../parts/layout.tsx";
import { Empty, Shown } from "../../parts/states.tsx";
import { useAsk, useLive, useTick } from "../../transport/live.ts";
import type { Book, PricePoint, Slot, Zone } from "../../transport/types.ts";
import type { Take } from "../../wallet/keystore.ts";
import { DepthChart } from "../market/depth_chart.tsx";
import { PriceChart } from "../market/price_chart.tsx";
import { priceRange } from "../market/slot_figures.tsx";
import { ZoneTree } from "../market/zone_tree.tsx";
import { TakePart } from "../members/take_part.tsx";
import { busiestZone, marketNow } from "./market_now.ts";

const MARKET_NOW = `query MarketNow($slot: Time!) {
  zones { id area parent gridLevel paused lastPrice lastSlot }
  slot(start: $slot) { start phase zones { slot zone price volume orders trades } }
}`;
const PRICES_TODAY = `query PricesToday($zone: ID!, $from: Time!, $to: Time!) {
  prices(zone: $zone, from: $from, to: $to) { slot zone price volume orders trades }
}`;
const NEXT_BOOK = `query NextBook($slot: Time!, $zone: ID!) {
  book(slot: $slot, zone: $zone) { buys { price quantity } sells { price quantity } clearingPrice block }
}`;

interface MarketData {
  zones: Zone[];
  slot: Pick<Slot, "start" | "phase" | "zones"> | null;
}

export function Landing({ take }: { take: Take }) {
  const live = useLive();
  useTick(1000);
  const { slotS, publicBook } = live.market;
  const slot = slotOf(live.now(), slotS);
  const asked = useAsk<MarketData>(MARKET_NOW, { slot });
  const [chosen, choose] = useState<string | null>(null);
  const zones = asked.data?.zones ?? [];
  const points = asked.data?.slot?.zones ?? [];
  const zone = chosen ?? busiestZone(zones, points);
  return (
    <>
      <div class="head span-12">
        <h1>Trade electricity with your neighbours</h1>
        <p>Sell what your roof makes beyond your own use, and buy what a neighbour has left, every quarter of an hour.</p>
      </div>
      <div class="stack span-8">
        <Card title="Traded now" aside={range(slot, slotS, live.zone)}>
          <Shown asked={asked} lines={2}>{() => <Now points={points} />}</Shown>
          <NextGate />
        </Card>
        <Card title="Price today" aside={<ZoneChoice zones={zones} chosen={zone} choose={choose} />}>
          {zone ? <PricesToday zone={zone} slot={slot} /> : <Shown asked={asked} tall>{() => <Empty>The market has no zones yet.</Empty>}</Shown>}
        </Card>
        <Card title="Zones" aside={<Term of="zone">What is a zone?</Term>}>
          <Shown asked={asked} tall>
            {(data) => (data.zones.length ? <ZoneTree zones={data.zones} points={points} /> : <Empty>The market has no zones yet.</Empty>)}
          </Shown>
        </Card>
      </div>
      <TakePart take={take} />
      {publicBook && <NextBook zone={zone} />}
    </>
  );
}

function Now({ points }: { points: readonly PricePoint[] }) {
  const live = useLive();
  const now = marketNow(points);
  if (!now?.volume) return <Empty>Nothing is traded in this quarter of an hour.</Empty>;
  return (
    <Figures>
      <Figure name="Energy" value={energy(now.volume)} />
      <Figure name="Price" value={`${priceRange({ zones: points })} ${priceUnit(live.currency)}`} />
      <Figure name="Between neighbours" value={count(now.trades, "trade")} />
    </Figures>
  );
}

/** How long orders for the next slot are still taken; it counts down by itself. */
function NextGate() {
  const live = useLive();
  const now = live.now();
  const next = live.market.openSlots.find((slot) => slot.gate > now);
  if (!next) return <p class="next-gate">No slot takes orders at the moment.</p>;
  return (
    <p class="next-gate">
      <span>
        Orders for <span class="nowrap">{range(next.start, live.market.slotS, live.zone)}</span> are taken for another
      </span>{" "}
      <b>{span((next.gate - now) / live.market.rate)}</b>
    </p>
  );
}

function ZoneChoice(props: { zones: readonly Zone[]; chosen: string | null; choose: (zone: string) => void }) {
  if (!props.chosen) return null;
  return (
    <label>
      Zone{" "}
      <select value={props.chosen} onChange={(event) => props.choose(event.currentTarget.value)}>
        {props.zones.map((each) => (
          <option key={each.id} value={each.id}>
            {each.id}
          </option>
        ))}
      </select>
    </label>
  );
}

function PricesToday({ zone, slot }: { zone: string; slot: number }) {
  const live = useLive();
  const asked = useAsk<{ prices: PricePoint[] }>(PRICES_TODAY, {
    zone,
    from: dayStart(slot, live.zone),
    to: slot + 8 * live.market.slotS,
  });
  return <Shown asked={asked} tall>{(data) => <PriceChart points={data.prices} height={220} />}</Shown>;
}

function NextBook({ zone }: { zone: string | null }) {
  const live = useLive();
  const now = live.now();
  const next = live.market.openSlots.find((slot) => slot.gate > now);
  const asked = useAsk<{ book: Book }>(NEXT_BOOK, next && zone ? { slot: next.start, zone } : null);
  return (
    <Card title="Wanted and offered" aside={next ? range(next.start, live.market.slotS, live.zone) : undefined}>
      {next && zone ? (
        <Shown asked={asked} tall>{(data) => <DepthChart book={data.book} />}</Shown>
      ) : (
        <Empty>No slot takes orders at the moment.</Empty>
      )}
    </Card>
  );
}
