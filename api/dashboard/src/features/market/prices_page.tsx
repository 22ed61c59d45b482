// The prices of each zone over the last day, for retailers.

import { useState } from "preact/hooks";
import { energyColumn, priceColumn, priceUnit } from "../../format/figures.ts";
import { dayRange, slotOf } from "../../format/times.ts";
import { Card, Head } from "../../parts/layout.tsx";
import { Empty, Shown } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import { useAsk, useLive, useTick } from "../../transport/live.ts";
import type { PricePoint, Zone } from "../../transport/types.ts";
import { PriceChart } from "./price_chart.tsx";

const ZONES = `query ZoneNames { zones { id parent gridLevel paused lastPrice lastSlot } }`;
const HISTORY = `query ZonePrices($zone: ID!, $from: Time!, $to: Time!) {
  prices(zone: $zone, from: $from, to: $to) { slot zone price volume orders trades }
}`;
const SLOTS_SHOWN = 96;

export function Prices() {
  const live = useLive();
  useTick(5000);
  const zones = useAsk<{ zones: Zone[] }>(ZONES, {});
  const [chosen, choose] = useState("");
  const priced = zones.data?.zones.filter((zone) => zone.lastPrice !== null)[0] ?? zones.data?.zones[0];
  const zone = chosen || (priced?.id ?? "");
  const here = slotOf(live.now(), live.market.slotS);
  const history = useAsk<{ prices: PricePoint[] }>(
    HISTORY,
    zone ? { zone, from: here - SLOTS_SHOWN * live.market.slotS, to: here + 8 * live.market.slotS } : null,
  );
  return (
    <>
      <Head title="Prices">In each slot a zone has one price, the same for everybody.</Head>
      <Card
        title="Price"
        span={12}
        aside={
          <label>
            Zone{" "}
            <select value={zone} onChange={(event) => choose(event.currentTarget.value)}>
              {(zones.data?.zones ?? []).map((each) => (
                <option key={each.id} value={each.id}>
                  {each.id}
                </option>
              ))}
            </select>
          </label>
        }
      >
        <Shown asked={history} tall>
          {({ prices }) => <PriceChart points={prices} height={240} />}
        </Shown>
      </Card>
      <Card title="Slots" span={12} aside="newest first">
        <Shown asked={history} lines={6}>
          {({ prices }) =>
            prices.length ? (
              <Table
                caption="Prices and volumes, newest first"
                rows={[...prices].reverse().slice(0, 24)}
                keyOf={(point) => String(point.slot)}
                columns={[
                  { head: "Slot", label: "Slot", cell: (p) => dayRange(p.slot, live.market.slotS, live.zone) },
                  { head: priceUnit(live.currency), label: `Price, ${priceUnit(live.currency)}`, number: true, cell: (p) => (p.price === null ? "–" : priceColumn(p.price)) },
                  { head: "kWh traded", label: "Traded, kWh", number: true, cell: (p) => energyColumn(p.volume) },
                  { head: "Orders", label: "Orders", number: true, cell: (p) => p.orders },
                  { head: "Trades", label: "Trades", number: true, cell: (p) => p.trades },
                ]}
              />
            ) : (
              <Empty>No slot has been cleared in this zone yet.</Empty>
            )
          }
        </Shown>
      </Card>
    </>
  );
}
