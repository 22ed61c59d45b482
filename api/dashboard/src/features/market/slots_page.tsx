// Slots from open to settled, with what was traded, left over and estimated.

import { useState } from "preact/hooks";
import { energyColumn, priceColumn, priceUnit } from "../../format/figures.ts";
import { Card, Head, State, Term } from "../../parts/layout.tsx";
import { Empty, Shown } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import { dayRange } from "../../format/times.ts";
import { useAsk, useLive } from "../../transport/live.ts";
import type { Page, Slot, SlotPhase } from "../../transport/types.ts";

export const SLOTS_QUERY = `query Slots($first: Int!) {
  slots(first: $first) {
    nodes {
      start phase gate settled residual surplus minted retired estimatedMeters block
      zones { slot zone price volume orders trades }
    }
    pageInfo { hasNextPage endCursor }
  }
}`;

const WORDS: Readonly<Record<SlotPhase, readonly [string, "good" | "wait" | "calm"]>> = {
  OPEN: ["takes orders", "calm"],
  CLOSED: ["gate closed", "wait"],
  CLEARING: ["clearing", "wait"],
  CLEARED: ["cleared", "calm"],
  SETTLING: ["settling", "wait"],
  SETTLED: ["settled", "good"],
  CORRECTING: ["being corrected", "wait"],
};

export function PhaseWord({ phase }: { phase: SlotPhase }) {
  const [word, tone] = WORDS[phase];
  return <State word={word} tone={tone} />;
}

const UNCLEARED: readonly SlotPhase[] = ["OPEN", "CLOSED", "CLEARING"];
const UNSETTLED: readonly SlotPhase[] = [...UNCLEARED, "CLEARED", "SETTLING"];

/** A figure that clearing brings; a dash before. */
export function cleared<T>(slot: Pick<Slot, "phase">, figure: T): T | "–" {
  return UNCLEARED.includes(slot.phase) ? "–" : figure;
}

/** A figure that settling brings; a dash before. */
export function settled<T>(slot: Pick<Slot, "phase">, figure: T): T | "–" {
  return UNSETTLED.includes(slot.phase) ? "–" : figure;
}

/** The lowest and the highest price of a slot's zones, as one text. */
export function priceRange(slot: Pick<Slot, "zones">): string {
  const prices = slot.zones.flatMap((point) => (point.price === null ? [] : [point.price]));
  if (!prices.length) return "–";
  const low = priceColumn(Math.min(...prices));
  const high = priceColumn(Math.max(...prices));
  return low === high ? low : `${low} to ${high}`;
}

export function GridSlots() {
  const live = useLive();
  const [first, grow] = useState(24);
  const asked = useAsk<{ slots: Page<Slot> }>(SLOTS_QUERY, { first });
  return (
    <>
      <Head title="Slots">From open to settled, newest first.</Head>
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
              <Empty>No slot yet. The first opens with the market.</Empty>
            )
          }
        </Shown>
      </Card>
    </>
  );
}
