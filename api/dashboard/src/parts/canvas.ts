// A uPlot chart in a page: it follows the size of its element and the colours of the page.

import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";

export interface Tones {
  readonly ink: string;
  readonly faint: string;
  readonly line: string;
  readonly buy: string;
  readonly sell: string;
  readonly accent: string;
  readonly ground: string;
  readonly font: string;
}

function tones(): Tones {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string) => style.getPropertyValue(name).trim();
  return {
    ink: read("--ink"),
    faint: read("--faint"),
    line: read("--line"),
    buy: read("--buy"),
    sell: read("--sell"),
    accent: read("--accent"),
    ground: read("--card"),
    font: "12px system-ui, sans-serif",
  };
}

type Made = Omit<uPlot.Options, "width" | "height">;

/** Keeps a chart in the element that holds the returned reference. */
export function useCanvas(
  make: (tones: Tones) => Made,
  data: uPlot.AlignedData,
  height: number,
  key: string,
): RefObject<HTMLDivElement | null> {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const newest = useRef(data);
  newest.current = data;

  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const draw = () => {
      chart.current?.destroy();
      chart.current = new uPlot({ ...make(tones()), width: element.clientWidth, height }, newest.current, element);
    };
    draw();
    const sized = new ResizeObserver(() => chart.current?.setSize({ width: element.clientWidth, height }));
    sized.observe(element);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", draw);
    return () => {
      sized.disconnect();
      scheme.removeEventListener("change", draw);
      chart.current?.destroy();
      chart.current = null;
    };
    // `make` is a new function at each rendering; a change of `key` asks for a new chart.
  }, [height, key]);

  useEffect(() => chart.current?.setData(data), [data]);
  return place;
}

/** An axis in the colours of the page. */
export function axis(tone: Tones, more: uPlot.Axis): uPlot.Axis {
  return {
    stroke: tone.faint,
    font: tone.font,
    grid: { stroke: tone.line, width: 1 },
    ticks: { show: false },
    size: 28,
    ...more,
  };
}

/** A vertical line with a label at a value of x. */
export function mark(plot: uPlot, x: number, label: string, colour: string): void {
  const { ctx, bbox } = plot;
  const left = Math.round(plot.valToPos(x, "x", true));
  if (left < bbox.left || left > bbox.left + bbox.width) return;
  const unit = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.5 * unit;
  ctx.setLineDash([4 * unit, 3 * unit]);
  ctx.beginPath();
  ctx.moveTo(left, bbox.top);
  ctx.lineTo(left, bbox.top + bbox.height);
  ctx.stroke();
  ctx.fillStyle = colour;
  ctx.font = `600 ${12 * unit}px system-ui, sans-serif`;
  const room = ctx.measureText(label).width + 8 * unit;
  const before = left + room > bbox.left + bbox.width;
  ctx.textAlign = before ? "right" : "left";
  ctx.fillText(label, left + (before ? -4 : 4) * unit, bbox.top + 12 * unit);
  ctx.restore();
}
