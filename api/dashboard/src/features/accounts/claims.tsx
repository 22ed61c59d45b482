// Claims: what retailers have paid for clients and not got back yet.

import { money, signedMoney } from "../../format/figures.ts";
import { Name } from "../../parts/layout.tsx";
import { Empty } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import type { Claim } from "../../transport/types.ts";

/** What a client owes, one sentence for each retailer; nothing is shown without a claim. */
export function ClaimsInWords({ claims, currency }: { claims: readonly Claim[]; currency: string }) {
  return (
    <>
      {claims.map((claim) => (
        <p key={claim.id} class="claim">
          Your account held too little, so {claim.retailer} paid{" "}
          <b>{signedMoney(money(claim.amount), currency).replace(/^[+−]/, "")}</b> for you. What you earn or pay in goes
          to {claim.retailer} first, until this amount is paid back.
        </p>
      ))}
    </>
  );
}

/** What a retailer's clients owe it. */
export function ClaimsTable({ claims, currency }: { claims: readonly Claim[]; currency: string }) {
  if (!claims.length) return <Empty>No client owes you anything.</Empty>;
  return (
    <Table
      caption="Claims on clients"
      rows={claims}
      keyOf={(claim) => claim.id}
      columns={[
        { head: "Client", label: "Client", cell: (c) => <Name did={c.client} /> },
        { head: "You paid", label: "You paid", number: true, cell: (c) => signedMoney(money(c.amount), currency) },
        { head: "Block", label: "Block", number: true, cell: (c) => c.block },
      ]}
    />
  );
}
