// All trades of a slot, which the regulator can read and save as a file.

import { useState } from "preact/hooks";
import { energyColumn, priceColumn, priceUnit } from "../../format/figures.ts";
import { dayRange } from "../../format/times.ts";
import { Card, Head, Name } from "../../parts/layout.tsx";
import { Empty, Shown } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import { useAsk, useLive } from "../../transport/live.ts";
import type { Page, Slot, Trade } from "../../transport/types.ts";
import { stateWord } from "../orders/order_trail.tsx";

const SLOTS = `query SlotStarts { slots(first: 48) { nodes { start phase } } }`;
const TRADES = `query SlotTrades($slot: Time!) {
  trades(slot: $slot, first: 100) {
    nodes { id slot number buyer seller quantity buyPrice sellPrice relation settled state block }
    pageInfo { hasNextPage endCursor }
  }
}`;

export function Trades() {
  const live = useLive();
  const slots = useAsk<{ slots: { nodes: Pick<Slot, "start" | "phase">[] } }>(SLOTS, {});
  const [chosen, choose] = useState<number | null>(null);
  const cleared = slots.data?.slots.nodes.filter((slot) => ["CLEARED", "SETTLING", "SETTLED", "CORRECTING"].includes(slot.phase)) ?? [];
  const slot = chosen ?? cleared[0]?.start ?? null;
  const asked = useAsk<{ trades: Page<Trade> }>(TRADES, slot === null ? null : { slot });
  return (
    <>
      <Head title="Trades">All trades of a slot, with the seller and the buyer of each.</Head>
      <Card
        title="Trades of a slot"
        span={12}
        aside={
          <label>
            Slot{" "}
            <select value={String(slot ?? "")} onChange={(event) => choose(Number(event.currentTarget.value))}>
              {cleared.map((each) => (
                <option key={each.start} value={String(each.start)}>
                  {dayRange(each.start, live.market.slotS, live.zone)}
                </option>
              ))}
            </select>
          </label>
        }
      >
        {!slots.data ? (
          <Shown asked={slots} lines={8}>{() => null}</Shown>
        ) : slot === null ? (
          <Empty>No slot has been cleared yet.</Empty>
        ) : (
          <Shown asked={asked} lines={8}>
            {({ trades }) =>
              trades.nodes.length ? (
                <>
                  <Table
                    caption="Trades of the slot"
                    rows={trades.nodes}
                    keyOf={(trade) => trade.id}
                    columns={[
                      { head: "No.", label: "Number", number: true, cell: (t) => t.number },
                      { head: "Seller", label: "Seller", cell: (t) => <Name did={t.seller} /> },
                      { head: "Buyer", label: "Buyer", cell: (t) => <Name did={t.buyer} /> },
                      { head: "kWh", label: "Energy, kWh", number: true, cell: (t) => energyColumn(t.quantity) },
                      { head: `Paid, ${priceUnit(live.currency)}`, label: `Paid, ${priceUnit(live.currency)}`, number: true, cell: (t) => priceColumn(t.buyPrice) },
                      { head: `Received, ${priceUnit(live.currency)}`, label: `Received, ${priceUnit(live.currency)}`, number: true, cell: (t) => priceColumn(t.sellPrice) },
                      { head: "Distance", label: "Distance", cell: (t) => t.relation },
                      { head: "Settled, kWh", label: "Settled, kWh", number: true, cell: (t) => (t.settled === null ? "–" : energyColumn(t.settled)) },
                      { head: "State", label: "State", cell: (t) => stateWord(t.state) },
                      { head: "Block", label: "Block", number: true, cell: (t) => t.block },
                    ]}
                  />
                  <Export trades={trades.nodes} slot={slot} />
                </>
              ) : (
                <Empty>Nothing was traded in this slot.</Empty>
              )
            }
          </Shown>
        )}
      </Card>
    </>
  );
}

/** Saves the rows with the integers of the ledger: Wh and micro-currency per kWh. */
function Export({ trades, slot }: { trades: readonly Trade[]; slot: number }) {
  const save = () => {
    const head = "number,seller,buyer,quantity_wh,buy_price_micro,sell_price_micro,relation,settled_wh,state,block";
    const rows = trades.map((t) =>
      [t.number, t.seller, t.buyer, t.quantity, t.buyPrice, t.sellPrice, t.relation, t.settled ?? "", t.state, t.block].join(","),
    );
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([[head, ...rows, ""].join("\n")], { type: "text/csv" }));
    link.download = `trades-${slot}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  return (
    <button type="button" class="quiet" onClick={save}>
      Save as CSV
    </button>
  );
}
