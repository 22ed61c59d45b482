// A household's statements: its balance, trades, amounts and certificates.

import { useState } from "preact/hooks";
import { energy, energyColumn, exactMoney, money, priceColumn, priceUnit, signedMoney } from "../../format/figures.ts";
import { dayRange } from "../../format/times.ts";
import { Card, Figure, Figures, Head, Name, Term } from "../../parts/layout.tsx";
import { go, useRoute } from "../../parts/route.ts";
import { Empty, Shown } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import { Tabs } from "../../parts/tabs.tsx";
import { useAsk, useLive } from "../../transport/live.ts";
import type { Balance, Certificate, Claim, Page, Posting, Trade } from "../../transport/types.ts";
import { stateWord } from "../orders/order_trail.tsx";
import { ClaimsInWords } from "./claims.tsx";
import { Postings } from "./postings.tsx";

const BALANCE = `query MyBalance { balance { owner amount available reserved claims minted live retired block }
  claims(first: 20) { nodes { id retailer client amount block } pageInfo { hasNextPage endCursor } } }`;
const TRADES = `query MyTrades($first: Int!) {
  myTrades(first: $first) {
    nodes { id slot number side buyer seller quantity buyPrice sellPrice relation settled state block }
    pageInfo { hasNextPage endCursor }
  }
}`;
const POSTINGS = `query MyPostings($first: Int!) {
  postings(first: $first) {
    nodes { id slot account amount trade section block
      explanation { kind fee rule quantity rate taxRate inPrice base reference retailer cause } }
    pageInfo { hasNextPage endCursor }
  }
}`;
const CERTIFICATES = `query MyCertificates($first: Int!) {
  certificates(first: $first) {
    nodes { id slot meter owner zone source minted retired block }
    pageInfo { hasNextPage endCursor }
  }
}`;
const PAGE = 25;
const FIRST_MAX = 100;

const VIEWS = [
  { key: "trades", name: "Trades" },
  { key: "postings", name: "Money" },
  { key: "certificates", name: "Certificates" },
] as const;
type Key = (typeof VIEWS)[number]["key"];

export function Statements() {
  const live = useLive();
  const route = useRoute();
  const balance = useAsk<{ balance: Balance; claims: Page<Claim> }>(BALANCE, {});
  const asked = route.query.get("show");
  const chosen: Key = VIEWS.find((view) => view.key === asked)?.key ?? "trades";
  const choose = (key: Key) => go(`statements?show=${key}`);
  return (
    <>
      <Head title="Statements">Open an amount to see how it was calculated.</Head>
      <Card title="Balance" span={12}>
        <Shown asked={balance} lines={2}>
          {(data) => (
            <>
              <Figures>
              <Figure
                name="Balance"
                value={signedMoney(money(data.balance.amount), live.currency)}
                exact={exactMoney(money(data.balance.amount), live.currency)}
              />
              <Figure name="Available" value={signedMoney(money(data.balance.available), live.currency)} />
              <Figure
                name={<Term of="reserved">Reserved</Term>}
                value={signedMoney(money(data.balance.reserved), live.currency)}
              />
              <Figure name={<Term of="certificate">Certificates held</Term>} value={energy(data.balance.live)} />
              <Figure name="Certificates used" value={energy(data.balance.retired)} />
              <Figure name="As of block" value={data.balance.block} />
            </Figures>
            <ClaimsInWords claims={data.claims.nodes} currency={live.currency} />
            </>
          )}
        </Shown>
      </Card>
      <Card title={VIEWS.find((view) => view.key === chosen)?.name ?? ""} span={12}>
        <Tabs label="Statement" views={VIEWS} chosen={chosen} choose={choose} />
        {chosen === "trades" && <TradeList />}
        {chosen === "postings" && <MoneyList />}
        {chosen === "certificates" && <CertificateList />}
      </Card>
    </>
  );
}

function More({ first, more, grow }: { first: number; more: boolean; grow: (next: number) => void }) {
  if (!more || first >= FIRST_MAX) return null;
  return (
    <button type="button" class="quiet" onClick={() => grow(Math.min(FIRST_MAX, first + PAGE))}>
      Show more
    </button>
  );
}

function TradeList() {
  const live = useLive();
  const [first, grow] = useState(PAGE);
  const asked = useAsk<{ myTrades: Page<Trade> }>(TRADES, { first });
  return (
    <Shown asked={asked} lines={6}>
      {({ myTrades }) =>
        myTrades.nodes.length ? (
          <>
            <Table
              caption="Your trades, newest first"
              rows={myTrades.nodes}
              keyOf={(trade) => trade.id}
              columns={[
                { head: "Delivered", label: "Delivered", cell: (t) => dayRange(t.slot, live.market.slotS, live.zone) },
                {
                  head: "You",
                  label: "You",
                  cell: (t) => (
                    <span class={t.side === "SELL" ? "tone-sell" : "tone-buy"}>{t.side === "SELL" ? "sold" : "bought"}</span>
                  ),
                },
                { head: "kWh", label: "Energy, kWh", number: true, cell: (t) => energyColumn(t.quantity) },
                {
                  head: priceUnit(live.currency),
                  label: `Price, ${priceUnit(live.currency)}`,
                  number: true,
                  cell: (t) => priceColumn(t.side === "SELL" ? t.sellPrice : t.buyPrice),
                },
                {
                  head: "Settled kWh",
                  label: "Settled, kWh",
                  number: true,
                  cell: (t) => (t.settled === null ? "–" : energyColumn(t.settled)),
                },
                { head: "With", label: "With", wide: true, cell: (t) => <Name did={t.side === "SELL" ? t.buyer : t.seller} /> },
                { head: "State", label: "State", cell: (t) => stateWord(t.state) },
                { head: "Block", label: "Block", number: true, cell: (t) => t.block },
              ]}
            />
            <More first={first} more={myTrades.pageInfo.hasNextPage} grow={grow} />
          </>
        ) : (
          <Empty>
            You have no trades yet. <a href="#/trade">Place your first order</a>.
          </Empty>
        )
      }
    </Shown>
  );
}

function MoneyList() {
  const [first, grow] = useState(PAGE);
  const asked = useAsk<{ postings: Page<Posting> }>(POSTINGS, { first });
  return (
    <Shown asked={asked} lines={6}>
      {({ postings }) =>
        postings.nodes.length ? (
          <>
            <Postings postings={postings.nodes} />
            <More first={first} more={postings.pageInfo.hasNextPage} grow={grow} />
          </>
        ) : (
          <Empty>There are no amounts yet. They appear when a slot is settled.</Empty>
        )
      }
    </Shown>
  );
}

function CertificateList() {
  const live = useLive();
  const [first, grow] = useState(PAGE);
  const asked = useAsk<{ certificates: Page<Certificate> }>(CERTIFICATES, { first });
  return (
    <Shown asked={asked} lines={6}>
      {({ certificates }) =>
        certificates.nodes.length ? (
          <>
            <Table
              caption="Certificates, newest first"
              rows={certificates.nodes}
              keyOf={(row) => row.id}
              columns={[
                { head: "Produced", label: "Produced", cell: (c) => dayRange(c.slot, live.market.slotS, live.zone) },
                { head: "Source", label: "Source", cell: (c) => c.source },
                { head: "Zone", label: "Zone", cell: (c) => c.zone },
                { head: "Issued kWh", label: "Issued, kWh", number: true, cell: (c) => energyColumn(c.minted) },
                { head: "Used kWh", label: "Used, kWh", number: true, cell: (c) => energyColumn(c.retired) },
                { head: "Block", label: "Block", number: true, cell: (c) => c.block },
              ]}
            />
            <More first={first} more={certificates.pageInfo.hasNextPage} grow={grow} />
          </>
        ) : (
          <Empty>You have no certificates yet. They are issued for the energy that your meter feeds in.</Empty>
        )
      }
    </Shown>
  );
}
