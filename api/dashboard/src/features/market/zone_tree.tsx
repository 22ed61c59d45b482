// The zones as a drawing: each zone below its parent, joined by a line that is thicker where more is traded.

import { energy, price } from "../../format/figures.ts";
import { useLive } from "../../transport/live.ts";
import type { PricePoint, Zone } from "../../transport/types.ts";
import { arrange } from "./tree.ts";

const CELL_W = 208;
const CELL_H = 132;
const BOX_W = 184;
const BOX_H = 72;
const EDGE_MIN = 2;
const EDGE_MAX = 14;
const SHRUNK_MIN = 0.7; // of its own size; smaller text cannot be read, so the drawing scrolls instead

export function ZoneTree({ zones, points }: { zones: readonly Zone[]; points: readonly PricePoint[] }) {
  const live = useLive();
  const drawn = arrange(zones.map((zone) => ({ id: zone.id, parent: zone.parent })));
  const pointOf = new Map(points.map((point) => [point.zone, point]));
  const most = Math.max(1, ...points.map((point) => point.volume));
  const spot = new Map(drawn.cells.map((cell) => [cell.id, cell]));
  const zoneOf = new Map(zones.map((zone) => [zone.id, zone]));
  const width = drawn.columns * CELL_W;
  const height = drawn.rows * CELL_H - (CELL_H - BOX_H) + 8;
  return (
    <div class="tree" tabIndex={0} role="group" aria-label="Zones; scroll sideways to see all of them">
      <svg
        width={width}
        viewBox={`0 0 ${width} ${height}`}
        style={{ minWidth: width * SHRUNK_MIN }}
        role="img"
        aria-label={`${zones.length} zones; the table below lists them`}
      >
        {drawn.cells.map((cell) => {
          const parent = cell.parent === null ? undefined : spot.get(cell.parent);
          if (!parent) return null;
          const x1 = parent.column * CELL_W + CELL_W / 2;
          const x2 = cell.column * CELL_W + CELL_W / 2;
          const y1 = parent.row * CELL_H + BOX_H + 4;
          const y2 = cell.row * CELL_H + 4;
          const volume = pointOf.get(cell.id)?.volume ?? 0;
          const stroke = EDGE_MIN + ((EDGE_MAX - EDGE_MIN) * volume) / most;
          const bend = (y1 + y2) / 2;
          const path = `M${x1} ${y1}C${x1} ${bend} ${x2} ${bend} ${x2} ${y2}`;
          return (
            <g key={`edge ${cell.id}`}>
              <path class="edge" d={path} stroke-width={EDGE_MAX} />
              <path class="edge-flow" d={path} stroke-width={stroke} />
            </g>
          );
        })}
        {drawn.cells.map((cell) => {
          const zone = zoneOf.get(cell.id);
          const point = pointOf.get(cell.id);
          const x = cell.column * CELL_W + (CELL_W - BOX_W) / 2;
          const y = cell.row * CELL_H + 4;
          const last = point?.price ?? zone?.lastPrice ?? null;
          return (
            <g key={cell.id} class={zone?.paused ? "zone paused" : "zone"}>
              <rect x={x} y={y} width={BOX_W} height={BOX_H} rx={8} />
              <text x={x + 12} y={y + 22} class="zone-name">
                {cell.id}
              </text>
              <text x={x + 12} y={y + 42}>
                {zone?.paused ? "paused" : last === null ? "no price yet" : price(last, live.currency)}
              </text>
              <text x={x + 12} y={y + 60} class="zone-faint">
                {point ? energy(point.volume) : `grid level ${zone?.gridLevel ?? "?"}`}
              </text>
            </g>
          );
        })}
      </svg>
    </div>
  );
}
