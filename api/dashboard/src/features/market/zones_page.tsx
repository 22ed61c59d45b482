// The grid operator's zones, as a drawing and as a table.

import { energyColumn, priceColumn, priceUnit } from "../../format/figures.ts";
import { range } from "../../format/times.ts";
import { Card, Head, State, Term } from "../../parts/layout.tsx";
import { Empty, Shown } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import { useAsk, useLive } from "../../transport/live.ts";
import type { Page, Slot, Zone } from "../../transport/types.ts";
import { ZoneTree } from "./zone_tree.tsx";

const ZONES = `query ZonesAndLast {
  zones { id area parent gridLevel paused lastPrice lastSlot }
  slots(first: 12) { nodes { start phase zones { slot zone price volume orders trades } } }
}`;

interface ZonesData {
  zones: Zone[];
  slots: Pick<Page<Pick<Slot, "start" | "phase" | "zones">>, "nodes">;
}

export function Zones() {
  const live = useLive();
  const asked = useAsk<ZonesData>(ZONES, {});
  return (
    <>
      <Head title="Zones">A line is thicker where more was traded in the zone below it, in the last slot that was cleared.</Head>
      <Shown asked={asked} tall>
        {({ zones, slots }) => {
          const last = slots.nodes.find((slot) => slot.zones.some((point) => point.price !== null));
          const points = last?.zones ?? [];
          const pointOf = new Map(points.map((point) => [point.zone, point]));
          const paused = zones.filter((zone) => zone.paused);
          return (
            <>
              <Card title="The area" span={12} aside={last ? range(last.start, live.market.slotS, live.zone) : "no slot has been cleared yet"}>
                {zones.length ? <ZoneTree zones={zones} points={points} /> : <Empty>The area has no zones yet.</Empty>}
              </Card>
              <Card title="Pauses" span={12}>
                {paused.length ? (
                  <ul class="plain">
                    {paused.map((zone) => (
                      <li key={zone.id}>
                        <State word="paused" tone="act" /> Zone {zone.id} takes no orders until the grid operator opens it again.
                      </li>
                    ))}
                  </ul>
                ) : (
                  <Empty>No zone is paused: all of them take orders.</Empty>
                )}
              </Card>
              <Card title="All zones" span={12}>
                <Table
                  caption="Zones"
                  rows={zones}
                  keyOf={(zone) => zone.id}
                  columns={[
                    { head: <Term of="zone">Zone</Term>, label: "Zone", cell: (z) => z.id },
                    { head: "Part of", label: "Part of", cell: (z) => z.parent ?? "the grid above" },
                    { head: "Grid level", label: "Grid level", number: true, cell: (z) => z.gridLevel },
                    {
                      head: priceUnit(live.currency),
                      label: `Price, ${priceUnit(live.currency)}`,
                      number: true,
                      cell: (z) => (z.lastPrice === null ? "–" : priceColumn(z.lastPrice)),
                    },
                    {
                      head: "kWh traded",
                      label: "Traded, kWh",
                      number: true,
                      cell: (z) => energyColumn(pointOf.get(z.id)?.volume ?? 0),
                    },
                    { head: "Orders", label: "Orders", number: true, cell: (z) => pointOf.get(z.id)?.orders ?? 0 },
                    {
                      head: "State",
                      label: "State",
                      cell: (z) => (z.paused ? <State word="paused" tone="act" /> : <State word="open" tone="good" />),
                    },
                  ]}
                />
              </Card>
            </>
          );
        }}
      </Shown>
    </>
  );
}
