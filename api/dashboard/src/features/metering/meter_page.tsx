// A household's meters: their health, what they are certified for, and their readings.

import { energy, energyColumn, power } from "../../format/figures.ts";
import { clock, day, dayRange, range, slotOf } from "../../format/times.ts";
import { Card, Figure, Figures, Head, State, Term } from "../../parts/layout.tsx";
import { Empty, Shown } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import { useAsk, useLive, useTick } from "../../transport/live.ts";
import type { Meter, Reading } from "../../transport/types.ts";
import { Health } from "../oracle_health/health_word.tsx";

const READINGS = `query Readings($meter: ID!, $from: Time!, $to: Time!) {
  readings(meter: $meter, from: $from, to: $to) {
    slot import export importRegister exportRegister quality resolution block
  }
}`;
const SLOTS_SHOWN = 24;

export function MeterPage() {
  const live = useLive();
  const meters = live.viewer?.meters ?? [];
  return (
    <>
      <Head title="Meter">What your meter may feed in and draw, whether it works, and its readings.</Head>
      {meters.map((meter) => (
        <One key={meter.id} meter={meter} />
      ))}
    </>
  );
}

function One({ meter }: { meter: Meter }) {
  const live = useLive();
  useTick(5000);
  const { slotS } = live.market;
  const now = slotOf(live.now(), slotS);
  const asked = useAsk<{ readings: Reading[] }>(READINGS, { meter: meter.id, from: now - SLOTS_SHOWN * slotS, to: now + slotS });
  return (
    <>
      <Card title={`Meter ${meter.id}`} span={5} aside={<Health health={meter.health} />}>
        <Figures>
          <Figure name="Zone" value={meter.zone} />
          <Figure name="Supplier" value={meter.retailer ?? "none: this meter takes no part"} />
          {meter.offtaker && meter.offtaker !== meter.retailer && <Figure name="Takes the surplus" value={meter.offtaker} />}
          <Figure name={<Term of="exportPower">May feed in</Term>} value={power(meter.exportPower)} tone="sell" />
          <Figure name="May draw" value={power(meter.importPower)} tone="buy" />
          <Figure name="Source of energy" value={meter.source || "none"} />
          <Figure name={meter.retired ? "Retired from" : "Certified from"} value={`${day(meter.fromSlot, live.zone)}, ${clock(meter.fromSlot, live.zone)}`} />
        </Figures>
        {meter.health?.sentence && <p class="faint">{meter.health.sentence}</p>}
      </Card>
      <Card title="Last reading" span={7}>
        {meter.lastReading ? (
          <Figures>
            <Figure name="Slot" value={range(meter.lastReading.slot, slotS, live.zone)} />
            <Figure name="Drawn" value={energy(meter.lastReading.import)} tone="buy" />
            <Figure name="Fed in" value={energy(meter.lastReading.export)} tone="sell" />
            <Figure name="Meter display, drawn" value={energy(meter.lastReading.importRegister)} />
            <Figure name="Meter display, fed in" value={energy(meter.lastReading.exportRegister)} />
            <Figure name="Block" value={meter.lastReading.block} />
          </Figures>
        ) : (
          <Empty>There is no reading yet. The first one comes at the end of a slot.</Empty>
        )}
      </Card>
      <Card title="Readings" span={12} aside="newest first">
        <Shown asked={asked} lines={8}>
          {({ readings }) =>
            readings.length ? (
              <Table
                caption="Readings, newest first"
                rows={[...readings].sort((a, b) => b.slot - a.slot)}
                keyOf={(row) => String(row.slot)}
                columns={[
                  { head: "Slot", label: "Slot", cell: (r) => dayRange(r.slot, slotS, live.zone) },
                  { head: "Drawn, kWh", label: "Drawn, kWh", number: true, cell: (r) => energyColumn(r.import) },
                  { head: "Fed in, kWh", label: "Fed in, kWh", number: true, cell: (r) => energyColumn(r.export) },
                  {
                    head: "Quality",
                    label: "Quality",
                    cell: (r) => (
                      <State
                        word={r.quality.toLowerCase()}
                        tone="good"
                      />
                    ),
                  },
                  { head: "Block", label: "Block", number: true, cell: (r) => r.block },
                ]}
              />
            ) : (
              <Empty>There are no readings in the last {SLOTS_SHOWN} slots.</Empty>
            )
          }
        </Shown>
      </Card>
    </>
  );
}
