// What a retailer may have to pay for its clients, and the amounts on its own account.

import { exactMoney, money, signedMoney } from "../../format/figures.ts";
import { Card, Figure, Figures, Head, Name, Term } from "../../parts/layout.tsx";
import { Empty, Shown } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import { useAsk, useLive } from "../../transport/live.ts";
import type { Balance, Claim, Page, Posting } from "../../transport/types.ts";
import { CLIENTS_QUERY, type ClientRow } from "../members/clients_page.tsx";
import { ClaimsTable } from "./claims.tsx";
import { Postings } from "./postings.tsx";

const OWN = `query OwnAccount($owner: ID) {
  balance(owner: $owner) { owner amount available reserved claims minted live retired block }
  claims(owner: $owner, first: 100) { nodes { id retailer client amount block } pageInfo { hasNextPage endCursor } }
  postings(owner: $owner, first: 30) {
    nodes { id slot account amount trade section block
      explanation { kind fee rule quantity rate taxRate inPrice base reference retailer cause } } pageInfo { hasNextPage endCursor }
  }
}`;

/** What a client could owe, in nano-currency: claims, a negative balance, and what its orders reserve. */
export function exposureOf(balance: Pick<Balance, "amount" | "reserved" | "claims">): bigint {
  const amount = money(balance.amount);
  return (amount < 0n ? -amount : 0n) + money(balance.claims) + money(balance.reserved);
}

export function Exposure() {
  const live = useLive();
  const owner = live.viewer?.member ?? null;
  const own = useAsk<{ balance: Balance; claims: Page<Claim>; postings: Page<Posting> }>(OWN, { owner });
  const clients = useAsk<{ clients: Page<ClientRow> }>(CLIENTS_QUERY, {});
  return (
    <>
      <Head title="Exposure">What your clients have reserved or owe, and the amounts on your own account.</Head>
      <Card title="Your account" span={5} aside={owner ?? undefined}>
        <Shown asked={own}>
          {({ balance }) => (
            <Figures>
              <Figure
                name="Balance"
                value={signedMoney(money(balance.amount), live.currency)}
                exact={exactMoney(money(balance.amount), live.currency)}
              />
              <Figure name="As of block" value={balance.block} />
            </Figures>
          )}
        </Shown>
      </Card>
      <Card title="Largest exposures" span={7} aside={<Term of="exposure">What is exposure?</Term>}>
        <Shown asked={clients} lines={5}>
          {(data) => {
            const rows = data.clients.nodes
              .map((client) => ({ did: client.did, nano: exposureOf(client.balance), balance: client.balance }))
              .filter((row) => row.nano > 0n)
              .sort((a, b) => (a.nano < b.nano ? 1 : a.nano > b.nano ? -1 : 0))
              .slice(0, 10);
            const total = data.clients.nodes.reduce((nano, client) => nano + exposureOf(client.balance), 0n);
            return rows.length ? (
              <>
                <p>
                  <b>{signedMoney(total, live.currency)}</b> for all clients together.
                </p>
                <Table
                  caption="Largest exposures"
                  rows={rows}
                  keyOf={(row) => row.did}
                  columns={[
                    { head: "Client", label: "Client", cell: (r) => <Name did={r.did} /> },
                    { head: "Exposure", label: "Exposure", number: true, cell: (r) => signedMoney(r.nano, live.currency) },
                    { head: "Balance", label: "Balance", number: true, cell: (r) => signedMoney(money(r.balance.amount), live.currency) },
                  ]}
                />
              </>
            ) : (
              <Empty>No client has reserved money or owes anything.</Empty>
            );
          }}
        </Shown>
      </Card>
      <Card title="Claims on clients" span={12} aside="what you paid for clients and did not get back yet">
        <Shown asked={own} lines={3}>
          {({ claims }) => <ClaimsTable claims={claims.nodes} currency={live.currency} />}
        </Shown>
      </Card>
      <Card title="Amounts on your account" span={12} aside="newest first">
        <Shown asked={own} lines={6}>
          {({ postings }) =>
            postings.nodes.length ? <Postings postings={postings.nodes} /> : <Empty>There are no amounts yet.</Empty>
          }
        </Shown>
      </Card>
    </>
  );
}
