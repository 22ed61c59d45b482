// The slots with their phase, prices and settled energy, for the grid operator and the regulator.

import { useState } from "preact/hooks";
import { energyColumn, priceUnit } from "../../format/figures.ts";
import { dayRange } from "../../format/times.ts";
import { Card, Head, State, Term } from "../../parts/layout.tsx";
import { Empty, Shown } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import { useAsk, useLive } from "../../transport/live.ts";
import type { Page, Slot } from "../../transport/types.ts";
import { cleared, PhaseWord, priceRange, SeedsWord, settled } from "./slot_figures.tsx";

export const SLOTS_QUERY = `query Slots($first: Int!) {
  slots(first: $first) {
    nodes {
      start phase gate settled residual surplus minted retired estimatedMeters block
      zones { slot zone price volume orders trades }
      seeds { member state }
    }
    pageInfo { hasNextPage endCursor }
  }
}`;

export function GridSlots() {
  const live = useLive();
  const [first, grow] = useState(24);
  const asked = useAsk<{ slots: Page<Slot> }>(SLOTS_QUERY, { first });
  return (
    <>
      <Head title="Slots">Every slot from its first order to its settlement, newest first.</Head>
      <Card title="All slots" span={12}>
        <Shown asked={asked} lines={10} tall>
          {({ slots }) =>
            slots.nodes.length ? (
              <>
                <Table
                  caption="Slots, newest first"
                  rows={slots.nodes}
                  keyOf={(slot) => String(slot.start)}
                  columns={[
                    { head: <Term of="slot">Slot</Term>, label: "Slot", cell: (s) => dayRange(s.start, live.market.slotS, live.zone) },
                    { head: "Phase", label: "Phase", wide: true, cell: (s) => <PhaseWord phase={s.phase} /> },
                    { head: <Term of="draw">Draw</Term>, label: "Draw", wide: true, cell: (s) => <SeedsWord seeds={s.seeds} /> },
                    { head: priceUnit(live.currency), label: `Price, ${priceUnit(live.currency)}`, number: true, cell: priceRange },
                    { head: "Orders", label: "Orders", number: true, cell: (s) => cleared(s, s.zones.reduce((n, z) => n + z.orders, 0)) },
                    { head: "Settled, kWh", label: "Settled, kWh", number: true, cell: (s) => settled(s, energyColumn(s.settled)) },
                    { head: <Term of="residual">Residual, kWh</Term>, label: "Residual, kWh", number: true, cell: (s) => settled(s, energyColumn(s.residual)) },
                    { head: <Term of="surplus">Surplus, kWh</Term>, label: "Surplus, kWh", number: true, cell: (s) => settled(s, energyColumn(s.surplus)) },
                    {
                      head: <Term of="estimated">Estimated</Term>,
                      label: "Estimated meters",
                      number: true,
                      cell: (s) => (s.estimatedMeters ? <State word={String(s.estimatedMeters)} tone="wait" /> : settled(s, 0)),
                    },
                    { head: "Block", label: "Block", number: true, cell: (s) => s.block },
                  ]}
                />
                {slots.pageInfo.hasNextPage && first < 96 && (
                  <button type="button" class="quiet" onClick={() => grow(Math.min(96, first + 24))}>
                    Show more
                  </button>
                )}
              </>
            ) : (
              <Empty>There is no slot yet. The first one appears with the first order.</Empty>
            )
          }
        </Shown>
      </Card>
    </>
  );
}
