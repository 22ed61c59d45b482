// The order book of a slot: how much is wanted and how much is offered at each price. The two
// stepped areas cross at the clearing price.

import { useMemo, useRef } from "preact/hooks";
import uPlot from "uplot";
import { energyColumn, hundredths, priceColumn, priceUnit } from "../../format/figures.ts";
import { axis, mark, useCanvas } from "../../parts/canvas.ts";
import { Empty } from "../../parts/states.tsx";
import { AsTable, Table } from "../../parts/table.tsx";
import { useLive } from "../../transport/live.ts";
import type { Book } from "../../transport/types.ts";
import { depth } from "./depth.ts";

export function DepthChart({ book, height = 220 }: { book: Book; height?: number }) {
  const live = useLive();
  const rows = depth(book.buys, book.sells);
  if (!rows.length) return <Empty>Nobody has placed an order for this slot yet.</Empty>;
  return (
    <figure class="chart">
      <Areas book={book} height={height} />
      <figcaption>
        <span class="key key-buy">wanted</span> <span class="key key-sell">offered</span>{" "}
        <span class="nowrap">kWh by {priceUnit(live.currency)}</span>
      </figcaption>
      <AsTable>
        <Table
          caption="Wanted and offered at each price"
          rows={rows}
          keyOf={(row) => String(row.price)}
          columns={[
            { head: priceUnit(live.currency), label: "Price", number: true, cell: (r) => priceColumn(r.price) },
            { head: "kWh wanted", label: "Wanted, kWh", number: true, cell: (r) => energyColumn(r.bought) },
            { head: "kWh offered", label: "Offered, kWh", number: true, cell: (r) => energyColumn(r.sold) },
          ]}
        />
      </AsTable>
    </figure>
  );
}

function Areas({ book, height }: { book: Book; height: number }) {
  const live = useLive();
  const clearing = useRef(book.clearingPrice);
  clearing.current = book.clearingPrice;
  const data = useMemo<uPlot.AlignedData>(() => {
    const rows = depth(book.buys, book.sells);
    const first = rows[0];
    const last = rows[rows.length - 1];
    if (!first || !last) return [[], [], []];
    const margin = Math.max(10_000, Math.round((last.price - first.price) * 0.08));
    const xs = [first.price - margin, ...rows.map((row) => row.price), last.price + margin];
    // A bid at exactly a price still counts there, so its step goes down after it; an offer's before it.
    const buys = [first.bought, ...rows.map((row) => row.bought), 0];
    const sells = [0, ...rows.map((row) => row.sold), last.sold];
    return [xs.map(hundredths), buys.map((wh) => wh / 1000), sells.map((wh) => wh / 1000)];
  }, [book]);
  const place = useCanvas(
    (tone) => ({
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: { x: { time: false }, y: { range: (_, __, high) => [0, Math.max(0.1, high * 1.15)] } },
      axes: [axis(tone, { space: 56 }), axis(tone, { size: 44, space: 36 })],
      series: [
        {},
        { stroke: tone.buy, width: 2, fill: `${tone.buy}33`, paths: uPlot.paths.stepped!({ align: -1 }), points: { show: false } },
        { stroke: tone.sell, width: 2, fill: `${tone.sell}33`, paths: uPlot.paths.stepped!({ align: 1 }), points: { show: false } },
      ],
      hooks: {
        draw: [
          (plot) => {
            const at = clearing.current;
            if (at !== null) mark(plot, hundredths(at), `clears at ${priceColumn(at)}`, tone.ink);
          },
        ],
      },
    }),
    data,
    height,
    live.currency,
  );
  return <div class="canvas" ref={place} aria-hidden="true" />;
}
