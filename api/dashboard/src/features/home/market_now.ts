// What a market trades in one slot, over all its zones; pure, so that it has its test.

import type { PricePoint } from "../../transport/types.ts";

export interface MarketNow {
  readonly volume: number;
  readonly trades: number;
}

type Point = Pick<PricePoint, "zone" | "price" | "volume" | "trades">;

/** Energy and number of trades; null before the slot has cleared, when no zone has a figure. */
export function marketNow(points: readonly Point[]): MarketNow | null {
  if (!points.length) return null;
  return {
    volume: points.reduce((wh, point) => wh + point.volume, 0),
    trades: points.reduce((number, point) => number + point.trades, 0),
  };
}

interface ZoneNow {
  readonly id: string;
  readonly lastPrice: number | null;
}

/** The zone whose prices a visitor sees first: it trades most now, else it has traded, else it is the last listed. */
export function busiestZone(zones: readonly ZoneNow[], points: readonly Point[]): string | null {
  const most = points.reduce<Point | null>((best, point) => (point.volume > (best?.volume ?? 0) ? point : best), null);
  return most?.zone ?? (zones.findLast((zone) => zone.lastPrice !== null) ?? zones[zones.length - 1])?.id ?? null;
}
