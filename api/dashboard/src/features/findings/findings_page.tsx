// What needs the regulator's attention: estimates, too many certificates, pauses, meters and nodes that fail.

import { energy } from "../../format/figures.ts";
import { dayRange } from "../../format/times.ts";
import { Card, Head, State } from "../../parts/layout.tsx";
import { Empty, Shown } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import { useAsk, useLive } from "../../transport/live.ts";
import type { Meter, OracleNode, Slot } from "../../transport/types.ts";
import { findings } from "./findings.ts";

const LOOK = `query Look {
  slots(first: 96) { nodes { start phase settled residual surplus minted retired estimatedMeters block } }
  meters(first: 100) { nodes { id zone health { state sentence at } } }
  zones { id paused }
  oracleNodes { did state sentence lastSlot at }
}`;

interface Look {
  slots: { nodes: Omit<Slot, "zones" | "gate">[] };
  meters: { nodes: Pick<Meter, "id" | "zone" | "health">[] };
  zones: { id: string; paused: boolean }[];
  oracleNodes: OracleNode[];
}

export function Findings() {
  const live = useLive();
  const asked = useAsk<Look>(LOOK, {});
  return (
    <>
      <Head title="Findings">The market checks the last 96 slots and all meters, zones and oracle nodes.</Head>
      <Shown asked={asked} lines={6} tall>
        {(data) => {
          const found = findings(
            { slots: data.slots.nodes, meters: data.meters.nodes, zones: data.zones, nodes: data.oracleNodes },
            (slot) => dayRange(slot, live.market.slotS, live.zone),
            energy,
          );
          return (
            <Card title={found.length ? "Needs attention" : "Nothing found"} span={12}>
              {found.length ? (
                <Table
                  caption="Findings"
                  rows={found}
                  keyOf={(row) => `${row.kind} ${row.where}`}
                  columns={[
                    { head: "Finding", label: "Finding", cell: (f) => <State word={f.kind} tone={f.grave ? "act" : "wait"} /> },
                    { head: "Where", label: "Where", wide: true, cell: (f) => f.where },
                    { head: "What was found", label: "What was found", wide: true, cell: (f) => f.sentence },
                    { head: "Block", label: "Block", number: true, cell: (f) => f.block ?? "–" },
                  ]}
                />
              ) : (
                <Empty>No slot was settled on an estimate, certificates match the energy fed in, no zone is paused, and every meter and node works.</Empty>
              )}
            </Card>
          );
        }}
      </Shown>
    </>
  );
}
