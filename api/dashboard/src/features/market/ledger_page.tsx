// The ledger as the API sees it: its newest block, whether it takes orders, and its latest slots.

import { dayRange, span } from "../../format/times.ts";
import { Card, Figure, Figures, Head, State } from "../../parts/layout.tsx";
import { Empty, Shown } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import { useAsk, useConnection, useLive } from "../../transport/live.ts";
import type { Page, Slot } from "../../transport/types.ts";
import { cleared, PhaseWord, settled } from "./slot_figures.tsx";
import { SLOTS_QUERY } from "./slots_page.tsx";

export function LedgerPage() {
  const live = useLive();
  const { position, ageS } = useConnection();
  const { market } = live;
  const asked = useAsk<{ slots: Page<Slot> }>(SLOTS_QUERY, { first: 24 });
  return (
    <>
      <Head title="Ledger">{market.sentence}</Head>
      <Card title="State of the ledger" span={12}>
        <Figures>
          <Figure name="Engine" value={market.engine} />
          <Figure name="Channel" value={market.channel} />
          <Figure name="Contract" value={market.contract} />
          <Figure name="Newest block" value={position?.block ?? market.block} />
          <Figure name="Age of the block" value={position ? span(ageS) : "–"} />
          <Figure name="Orders" value={market.writable ? <State word="accepted" tone="good" /> : <State word="refused" tone="act" />} />
        </Figures>
      </Card>
      <Card title="Latest slots" span={12} aside="newest first">
        <Shown asked={asked} lines={8}>
          {({ slots }) =>
            slots.nodes.length ? (
              <Table
                caption="Slots, newest first"
                rows={slots.nodes}
                keyOf={(slot) => String(slot.start)}
                columns={[
                  { head: "Slot", label: "Slot", cell: (s) => dayRange(s.start, market.slotS, live.zone) },
                  { head: "Phase", label: "Phase", cell: (s) => <PhaseWord phase={s.phase} /> },
                  { head: "Orders", label: "Orders", number: true, cell: (s) => cleared(s, s.zones.reduce((n, z) => n + z.orders, 0)) },
                  { head: "Trades", label: "Trades", number: true, cell: (s) => cleared(s, s.zones.reduce((n, z) => n + z.trades, 0)) },
                  { head: "Estimated meters", label: "Estimated meters", number: true, cell: (s) => s.estimatedMeters || settled(s, 0) },
                  { head: "Block", label: "Block", number: true, cell: (s) => s.block },
                ]}
              />
            ) : (
              <Empty>There is no slot yet.</Empty>
            )
          }
        </Shown>
      </Card>
    </>
  );
}
