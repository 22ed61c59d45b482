// The retailers with their clients and balances, and the oracle nodes that sign readings.

import { energy, money, signedMoney, sum } from "../../format/figures.ts";
import { Card, Figure, Figures, Head, Name, State } from "../../parts/layout.tsx";
import { Empty, Shown } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import { useAsk, useLive } from "../../transport/live.ts";
import type { Balance, Client, OracleNode } from "../../transport/types.ts";
import { StateWord } from "../oracle_health/health_word.tsx";

const WHO = `query Who {
  meters(first: 500) { nodes { id retailer zone } pageInfo { hasNextPage endCursor } }
  oracleNodes { did state sentence lastSlot at }
}`;
const CLIENTS = `query RetailersClients($retailer: String!) {
  clients(first: 100, retailer: $retailer) {
    nodes { did locked balance { amount reserved live } } pageInfo { hasNextPage endCursor }
  }
}`;

interface Who {
  meters: { nodes: { id: string; retailer: string | null; zone: string }[] };
  oracleNodes: OracleNode[];
}
type ClientRow = Pick<Client, "did" | "locked"> & { balance: Pick<Balance, "amount" | "reserved" | "live"> };
interface Clients {
  clients: { nodes: ClientRow[]; pageInfo: { hasNextPage: boolean } };
}

export function Organisations() {
  const asked = useAsk<Who>(WHO, {});
  return (
    <>
      <Head title="Organisations">The retailers that keep accounts, and the oracle nodes that sign readings.</Head>
      <Shown asked={asked} lines={8} tall>
        {({ meters, oracleNodes }) => {
          const names = [...new Set(meters.nodes.flatMap((meter) => meter.retailer ?? []))].sort();
          return (
            <>
              {!names.length && (
                <Card title="Retailers" span={12}>
                  <Empty>No retailer has a client with a meter in this area yet.</Empty>
                </Card>
              )}
              {names.map((name) => (
                <Retailer key={name} name={name} meters={meters.nodes.filter((meter) => meter.retailer === name).length} />
              ))}
              <Card title="Oracle nodes" span={12}>
                {oracleNodes.length ? (
                  <Table
                    caption="Oracle nodes"
                    rows={oracleNodes}
                    keyOf={(node) => node.did}
                    columns={[
                      { head: "Node", label: "Node", cell: (n) => <Name did={n.did} /> },
                      { head: "State", label: "State", cell: (n) => <StateWord state={n.state} /> },
                      { head: "Message", label: "Message", wide: true, cell: (n) => n.sentence || "none" },
                    ]}
                  />
                ) : (
                  <Empty>No oracle node has reported yet.</Empty>
                )}
              </Card>
            </>
          );
        }}
      </Shown>
    </>
  );
}

function Retailer({ name, meters }: { name: string; meters: number }) {
  const live = useLive();
  const asked = useAsk<Clients>(CLIENTS, { retailer: name });
  return (
    <Card title={name} span={12} aside="retailer">
      <Shown asked={asked} lines={4}>
        {({ clients }) => (
          <>
            <Figures>
              <Figure name="Clients" value={clients.nodes.length + (clients.pageInfo.hasNextPage ? "+" : "")} />
              <Figure name="Locked" value={clients.nodes.filter((client) => client.locked).length} />
              <Figure name="Meters" value={meters} />
              <Figure name="Balances" value={signedMoney(sum(clients.nodes.map((c) => c.balance.amount)), live.currency)} />
              <Figure name="Reserved" value={signedMoney(sum(clients.nodes.map((c) => c.balance.reserved)), live.currency)} />
              <Figure name="Certificates held" value={energy(clients.nodes.reduce((wh, c) => wh + c.balance.live, 0))} />
            </Figures>
            <details>
              <summary>All clients</summary>
              <Table
                caption={`Clients of ${name}`}
                rows={clients.nodes}
                keyOf={(client) => client.did}
                columns={[
                  { head: "Client", label: "Client", cell: (c) => <Name did={c.did} /> },
                  { head: "Balance", label: "Balance", number: true, cell: (c) => signedMoney(money(c.balance.amount), live.currency) },
                  { head: "Reserved", label: "Reserved", number: true, cell: (c) => signedMoney(money(c.balance.reserved), live.currency) },
                  { head: "State", label: "State", cell: (c) => (c.locked ? <State word="locked" tone="act" /> : <State word="active" tone="good" />) },
                ]}
              />
            </details>
          </>
        )}
      </Shown>
    </Card>
  );
}
