// The ledger as the API sees it: where it stands, whether it takes writes, the run of the slots.

import { Card, Figure, Figures, Head, State } from "../../parts/layout.tsx";
import { Empty, Shown } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import { dayRange, span } from "../../format/times.ts";
import { useAsk, useConnection, useLive } from "../../transport/live.ts";
import type { Page, Slot } from "../../transport/types.ts";
import { cleared, PhaseWord, settled, SLOTS_QUERY } from "./slots_page.tsx";

export function LedgerPage() {
  const live = useLive();
  const { position, ageS } = useConnection();
  const { market } = live;
  const asked = useAsk<{ slots: Page<Slot> }>(SLOTS_QUERY, { first: 24 });
  return (
    <>
      <Head title="Ledger">{market.sentence}</Head>
      <Card title="Where it stands" span={12}>
        <Figures>
          <Figure name="Engine" value={market.engine} />
          <Figure name="Channel" value={market.channel} />
          <Figure name="Contract" value={market.contract} />
          <Figure name="Block" value={position?.block ?? market.block} />
          <Figure name="Age" value={position ? span(ageS) : "–"} />
          <Figure name="Writes" value={market.writable ? <State word="taken" tone="good" /> : <State word="refused" tone="act" />} />
        </Figures>
      </Card>
      <Card title="Run of the slots" span={12} aside="newest first">
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
                  { head: "Estimated", label: "Estimated meters", number: true, cell: (s) => s.estimatedMeters || settled(s, 0) },
                  { head: "Block", label: "Block", number: true, cell: (s) => s.block },
                ]}
              />
            ) : (
              <Empty>No slot yet.</Empty>
            )
          }
        </Shown>
      </Card>
    </>
  );
}
