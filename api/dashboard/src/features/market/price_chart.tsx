// The price of a zone over time, one step for each slot; the past is paler than the future.

import { useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { energyColumn, hundredths, price, priceColumn, priceUnit } from "../../format/figures.ts";
import { clock, day, range } from "../../format/times.ts";
import { axis, mark, useCanvas } from "../../parts/canvas.ts";
import { Empty } from "../../parts/states.tsx";
import { Table, AsTable } from "../../parts/table.tsx";
import { useLive } from "../../transport/live.ts";
import type { PricePoint } from "../../transport/types.ts";

export function PriceChart({ points, height = 200 }: { points: readonly PricePoint[]; height?: number }) {
  const live = useLive();
  const priced = useMemo(() => points.filter((point) => point.price !== null), [points]);
  if (!priced.length) return <Empty>There is no price yet. It appears when the first gate has closed and the slot is cleared.</Empty>;
  return (
    <figure class="chart">
      <Steps points={priced} height={height} />
      <figcaption>
        Price in {priceUnit(live.currency)} for each <span class="nowrap">quarter of an hour</span>
      </figcaption>
      <AsTable>
        <Table
          caption="Price for each slot, newest first"
          rows={[...priced].reverse()}
          keyOf={(point) => String(point.slot)}
          columns={[
            { head: "Slot", label: "Slot", cell: (p) => range(p.slot, live.market.slotS, live.zone) },
            { head: priceUnit(live.currency), label: "Price", number: true, cell: (p) => priceColumn(p.price ?? 0) },
            { head: "kWh traded", label: "Traded, kWh", number: true, cell: (p) => energyColumn(p.volume) },
          ]}
        />
      </AsTable>
    </figure>
  );
}

function Steps({ points, height }: { points: readonly PricePoint[]; height: number }) {
  const live = useLive();
  const { slotS } = live.market;
  const [hovered, setHovered] = useState<PricePoint | null>(null);
  const kept = useRef(points);
  kept.current = points;
  const clockOf = useRef(live.now);
  clockOf.current = live.now;

  const data = useMemo<uPlot.AlignedData>(() => {
    const xs: number[] = [];
    const ys: (number | null)[] = [];
    points.forEach((point, index) => {
      xs.push(point.slot);
      ys.push(hundredths(point.price ?? 0));
      const end = point.slot + slotS;
      const next = points[index + 1];
      if (!next || next.slot > end) {
        xs.push(end - 1, end);
        ys.push(hundredths(point.price ?? 0), next ? null : hundredths(point.price ?? 0));
      }
    });
    return [xs, ys];
  }, [points, slotS]);

  const place = useCanvas(
    (tone) => ({
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: {
        x: { time: false },
        y: { range: (_, low, high) => [Math.min(0, Math.floor(low)), Math.max(1, Math.ceil(high * 1.15))] },
      },
      axes: [
        axis(tone, { values: (_, ticks) => ticks.map((tick) => clock(tick, live.zone)), space: 64, incrs: [900, 1800, 3600, 7200, 10800, 21600, 43200, 86400] }),
        axis(tone, { size: 40, values: (_, ticks) => ticks.map((tick) => String(tick)), space: 36 }),
      ],
      series: [
        {},
        { stroke: tone.accent, width: 2, fill: `${tone.accent}22`, paths: uPlot.paths.stepped!({ align: 1 }), points: { show: false } },
      ],
      hooks: {
        draw: [
          (plot) => {
            const now = clockOf.current();
            const { ctx, bbox } = plot;
            const left = Math.max(bbox.left, Math.min(bbox.left + bbox.width, plot.valToPos(now, "x", true)));
            ctx.save();
            ctx.globalAlpha = 0.5;
            ctx.fillStyle = tone.ground;
            ctx.fillRect(bbox.left, bbox.top, left - bbox.left, bbox.height);
            ctx.restore();
            mark(plot, now, "now", tone.ink);
          },
        ],
        setCursor: [
          (plot) => {
            const left = plot.cursor.left ?? -1;
            const x = left < 0 ? null : plot.posToVal(left, "x");
            setHovered(x === null ? null : (kept.current.findLast((p) => p.slot <= x) ?? null));
          },
        ],
      },
    }),
    data,
    height,
    `${live.zone} ${slotS}`,
  );

  return (
    <>
      <p class="hover" aria-hidden="true">
        {hovered
          ? `${day(hovered.slot, live.zone)}, ${range(hovered.slot, slotS, live.zone)}: ${price(hovered.price ?? 0, live.currency)}`
          : "\u00a0"}
      </p>
      <div class="canvas" ref={place} aria-hidden="true" />
    </>
  );
}
