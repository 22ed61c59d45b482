// Meters and their health: the grid operator sees those of its area, an oracle operator sees all.

import { useState } from "preact/hooks";
import { energyColumn, power } from "../../format/figures.ts";
import { clock, range } from "../../format/times.ts";
import { Card, Figure, Figures, Head } from "../../parts/layout.tsx";
import { Empty, Shown } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import { useAsk, useLive } from "../../transport/live.ts";
import type { Meter, Page } from "../../transport/types.ts";
import { toneOf } from "../oracle_health/health_tone.ts";
import { Health } from "../oracle_health/health_word.tsx";

const METERS = `query Meters($first: Int!) {
  meters(first: $first) {
    nodes {
      id zone retailer offtaker retired holder importPower exportPower source fromSlot firstSlot
      lastReading { slot import export importRegister exportRegister quality resolution block }
      health { state sentence at }
    }
    pageInfo { hasNextPage endCursor } totalCount
  }
}`;
const FIRST = 100;

export function GridMeters() {
  const live = useLive();
  const [filter, setFilter] = useState("");
  const asked = useAsk<{ meters: Page<Meter> }>(METERS, { first: FIRST });
  const { slotS } = live.market;
  return (
    <>
      <Head title="Meters">Meters that need attention come first.</Head>
      <Shown asked={asked} lines={8} tall>
        {({ meters }) => {
          const sick = (meter: Meter) => meter.health !== null && toneOf(meter.health.state) !== "good";
          const wanted = filter.trim().toLowerCase();
          const rows = meters.nodes
            .filter((meter) => !wanted || `${meter.id} ${meter.zone} ${meter.retailer ?? ""}`.toLowerCase().includes(wanted))
            .sort((a, b) => Number(sick(b)) - Number(sick(a)) || a.id.localeCompare(b.id));
          return (
            <>
              <Card title="Summary" span={12}>
                <Figures>
                  <Figure name="Meters" value={meters.nodes.length + (meters.pageInfo.hasNextPage ? "+" : "")} />
                  <Figure
                    name="Need attention"
                    value={meters.nodes.filter(sick).length}
                    {...(meters.nodes.some(sick) ? { tone: "act" as const } : {})}
                  />
                  <Figure name="Never read" value={meters.nodes.filter((m) => !m.lastReading).length} />
                </Figures>
              </Card>
              <Card
                title="All meters"
                span={12}
                aside={
                  <label>
                    Search{" "}
                    <input type="search" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} placeholder="meter, zone or supplier" />
                  </label>
                }
              >
                {rows.length ? (
                  <Table
                    caption="Meters"
                    rows={rows}
                    keyOf={(meter) => meter.id}
                    columns={[
                      { head: "Meter", label: "Meter", cell: (m) => m.id },
                      { head: "Zone", label: "Zone", cell: (m) => m.zone },
                      { head: "Supplier", label: "Supplier", cell: (m) => (m.retired ? "retired" : (m.retailer ?? "none")) },
                      { head: "May feed in", label: "May feed in", number: true, cell: (m) => power(m.exportPower) },
                      { head: "Last reading", label: "Last reading", number: true, cell: (m) => (m.lastReading ? range(m.lastReading.slot, slotS, live.zone) : "never") },
                      { head: "Drawn, kWh", label: "Drawn, kWh", number: true, cell: (m) => (m.lastReading ? energyColumn(m.lastReading.import) : "–") },
                      { head: "Fed in, kWh", label: "Fed in, kWh", number: true, cell: (m) => (m.lastReading ? energyColumn(m.lastReading.export) : "–") },
                      {
                        head: "Health",
                        label: "Health", wide: true,
                        cell: (m) => (
                          <>
                            <Health health={m.health} />
                            {m.health && sick(m) && (
                              <span class="faint">
                                {" "}
                                {m.health.sentence} ({clock(m.health.at, live.zone)})
                              </span>
                            )}
                          </>
                        ),
                      },
                    ]}
                  />
                ) : (
                  <Empty>{wanted ? "No meter matches your search." : "There are no meters yet. A meter appears when it has been certified."}</Empty>
                )}
              </Card>
            </>
          );
        }}
      </Shown>
    </>
  );
}
