// The oracle nodes: whether each one works, what it read last, and how many have to agree.

import { clock, range } from "../../format/times.ts";
import { Card, Figure, Figures, Head, Name } from "../../parts/layout.tsx";
import { Empty, Shown } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import { useAsk, useLive } from "../../transport/live.ts";
import type { OracleNode } from "../../transport/types.ts";
import { StateWord } from "./health_word.tsx";

const NODES = `query Nodes { oracleNodes { did state sentence lastSlot at } }`;

export function OracleNodes() {
  const live = useLive();
  const asked = useAsk<{ oracleNodes: OracleNode[] }>(NODES, {});
  return (
    <>
      <Head title="Oracle nodes">Each node reads every meter at the end of a slot. The nodes sign the value on which enough of them agree.</Head>
      <Shown asked={asked} lines={5}>
        {({ oracleNodes: nodes }) => {
          const faulty = Math.max(0, Math.floor((nodes.length - 1) / 3));
          const newest = Math.max(0, ...nodes.map((node) => node.lastSlot ?? 0));
          return nodes.length ? (
            <>
              <Card title="Summary" span={12}>
                <Figures>
                  <Figure name="Nodes" value={nodes.length} />
                  <Figure name="May fail at the same time" value={faulty} />
                  <Figure name="Must agree" value={nodes.length - faulty} />
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
                    { head: "Message", label: "Message", wide: true, cell: (n) => n.sentence || "none" },
                    { head: "Last slot read", label: "Last slot read", number: true, cell: (n) => (n.lastSlot === null ? "none" : range(n.lastSlot, live.market.slotS, live.zone)) },
                    { head: "Last report", label: "Last report", number: true, cell: (n) => (n.at === null ? "never" : clock(n.at, live.zone)) },
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
