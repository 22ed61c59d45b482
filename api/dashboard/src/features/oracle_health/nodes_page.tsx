// The oracle nodes: who is up, what each read last, and whether enough agree.

import { Card, Figure, Figures, Head, Name } from "../../parts/layout.tsx";
import { Empty, Shown } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import { clock, range } from "../../format/times.ts";
import { useAsk, useLive } from "../../transport/live.ts";
import type { OracleNode } from "../../transport/types.ts";
import { StateWord } from "./health_word.tsx";

const NODES = `query Nodes { oracleNodes { did state sentence lastSlot at } }`;

export function OracleNodes() {
  const live = useLive();
  const asked = useAsk<{ oracleNodes: OracleNode[] }>(NODES, {});
  return (
    <>
      <Head title="Oracle nodes">They read every meter at the end of a slot and sign what most of them saw.</Head>
      <Shown asked={asked} lines={5}>
        {({ oracleNodes: nodes }) => {
          const faulty = Math.max(0, Math.floor((nodes.length - 1) / 3));
          const newest = Math.max(0, ...nodes.map((node) => node.lastSlot ?? 0));
          return nodes.length ? (
            <>
              <Card title="In sum" span={12}>
                <Figures>
                  <Figure name="Nodes" value={nodes.length} />
                  <Figure name="May fail at once" value={faulty} />
                  <Figure name="Have to agree" value={nodes.length - faulty} />
                  <Figure name="Last slot read" value={newest ? range(newest, live.market.slotS, live.zone) : "none"} />
                </Figures>
              </Card>
              <Card title="All nodes" span={12}>
                <Table
                  caption="Oracle nodes"
                  rows={nodes}
                  keyOf={(node) => node.did}
                  columns={[
                    { head: "Node", label: "Node", cell: (n) => <Name did={n.did} /> },
                    { head: "State", label: "State", cell: (n) => <StateWord state={n.state} /> },
                    { head: "Says", label: "Says", wide: true, cell: (n) => n.sentence || "nothing" },
                    { head: "Last slot", label: "Slot", number: true, cell: (n) => (n.lastSlot === null ? "none" : range(n.lastSlot, live.market.slotS, live.zone)) },
                    { head: "Heard", label: "Heard", number: true, cell: (n) => (n.at === null ? "never" : clock(n.at, live.zone)) },
                  ]}
                />
              </Card>
            </>
          ) : (
            <Card title="All nodes" span={12}>
              <Empty>No oracle node has reported yet.</Empty>
            </Card>
          );
        }}
      </Shown>
    </>
  );
}
