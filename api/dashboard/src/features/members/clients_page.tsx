// A retailer's clients with their meters and balances.

import { useState } from "preact/hooks";
import { energyColumn, exactMoney, money, signedMoney, sum } from "../../format/figures.ts";
import { Card, Figure, Figures, Head, Name, State, Term } from "../../parts/layout.tsx";
import { Empty, Shown } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import { useAsk, useLive } from "../../transport/live.ts";
import type { Balance, Client, Page, Posting } from "../../transport/types.ts";
import { Postings } from "../accounts/postings.tsx";
import { Health } from "../oracle_health/health_word.tsx";

const CLIENTS = `query Clients {
  clients(first: 100) {
    nodes {
      did locked
      meters { id zone health { state sentence at } }
      balance { amount available reserved claims live block }
    }
    pageInfo { hasNextPage endCursor } totalCount
  }
}`;
const POSTINGS = `query ClientPostings($owner: ID!) {
  postings(owner: $owner, first: 30) {
    nodes { id slot account amount trade section block
      explanation { kind fee rule quantity rate taxRate inPrice base reference retailer cause } } pageInfo { hasNextPage endCursor }
  }
}`;

export type ClientRow = Pick<Client, "did" | "locked"> & {
  meters: Pick<Client["meters"][number], "id" | "zone" | "health">[];
  balance: Pick<Balance, "amount" | "available" | "reserved" | "claims" | "live" | "block">;
};
export const CLIENTS_QUERY = CLIENTS;

export function Clients() {
  const live = useLive();
  const asked = useAsk<{ clients: Page<ClientRow> }>(CLIENTS, {});
  const [chosen, choose] = useState<string | null>(null);
  return (
    <>
      <Head title="Clients">The households whose orders you pass on and whose accounts you keep.</Head>
      <Card title="Summary" span={12}>
        <Shown asked={asked} lines={2}>
          {({ clients }) => (
            <Figures>
              <Figure name="Clients" value={clients.nodes.length + (clients.pageInfo.hasNextPage ? "+" : "")} />
              <Figure name="Locked" value={clients.nodes.filter((client) => client.locked).length} />
              <Figure
                name="Balances"
                value={signedMoney(sum(clients.nodes.map((client) => client.balance.amount)), live.currency)}
              />
              <Figure
                name={<Term of="reserved">Reserved</Term>}
                value={signedMoney(sum(clients.nodes.map((client) => client.balance.reserved)), live.currency)}
              />
            </Figures>
          )}
        </Shown>
      </Card>
      <Card title="All clients" span={12}>
        <Shown asked={asked} lines={8}>
          {({ clients }) =>
            clients.nodes.length ? (
              <Table
                caption="Clients"
                rows={clients.nodes}
                keyOf={(client) => client.did}
                chosen={(client) => client.did === chosen}
                columns={[
                  {
                    head: "Client",
                    label: "Client",
                    cell: (c) => (
                      <button type="button" class="link" aria-expanded={c.did === chosen} onClick={() => choose(c.did === chosen ? null : c.did)}>
                        <Name did={c.did} />
                      </button>
                    ),
                  },
                  { head: "Meters", label: "Meters", wide: true, cell: (c) => c.meters.map((m) => `${m.id} (${m.zone})`).join(", ") || "none" },
                  { head: "Health", label: "Health", cell: (c) => <Health health={c.meters[0]?.health ?? null} /> },
                  { head: "Balance", label: "Balance", number: true, cell: (c) => <Amount of={c.balance.amount} /> },
                  { head: "Reserved", label: "Reserved", number: true, cell: (c) => <Amount of={c.balance.reserved} /> },
                  { head: "Certificates, kWh", label: "Certificates, kWh", number: true, cell: (c) => energyColumn(c.balance.live) },
                  { head: "State", label: "State", cell: (c) => (c.locked ? <State word="locked" tone="act" /> : <State word="active" tone="good" />) },
                ]}
              />
            ) : (
              <Empty>You have no clients yet. A client appears here when you have registered it.</Empty>
            )
          }
        </Shown>
      </Card>
      {chosen && <Account owner={chosen} />}
    </>
  );
}

function Amount({ of }: { of: string }) {
  const live = useLive();
  return <span title={exactMoney(money(of), live.currency)}>{signedMoney(money(of), live.currency)}</span>;
}

function Account({ owner }: { owner: string }) {
  const asked = useAsk<{ postings: Page<Posting> }>(POSTINGS, { owner });
  return (
    <Card title="Amounts on the client's account" span={12} aside={<Name did={owner} />}>
      <Shown asked={asked} lines={6}>
        {({ postings }) =>
          postings.nodes.length ? <Postings postings={postings.nodes} /> : <Empty>There are no amounts on this account yet.</Empty>
        }
      </Shown>
    </Card>
  );
}
