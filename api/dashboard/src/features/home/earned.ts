// What an account has earned today: the sum of its postings, which are read newest first.

import { useEffect, useRef, useState } from "preact/hooks";
import { sum } from "../../format/figures.ts";
import { Fault } from "../../transport/calls.ts";
import { askNoted, useAsk } from "../../transport/live.ts";
import type { Page, Posting } from "../../transport/types.ts";

type Line = Pick<Posting, "id" | "slot" | "amount">;
const FIRST = 100;
const PAGES_MAX = 25; // many more than a household has in a day
const LINES = `query Earned($first: Int!, $after: String) {
  postings(first: $first, after: $after) { nodes { id slot amount } pageInfo { hasNextPage endCursor } }
}`;

/** The sum in nano-currency; null until the first answer. Payments have no slot and do not count. */
export function useEarned(since: number): bigint | null {
  const lines = useRef(new Map<string, Line>());
  const [total, setTotal] = useState<bigint | null>(null);
  const newest = useAsk<{ postings: Page<Line> }>(LINES, { first: FIRST, after: null });

  useEffect(() => {
    if (!newest.data) return;
    let left = false;
    const gather = async (page: Page<Line>) => {
      for (let pages = 1; ; pages += 1) {
        const fresh = page.nodes.filter((line) => !lines.current.has(line.id));
        for (const line of page.nodes) lines.current.set(line.id, line);
        const dated = page.nodes.filter((line) => line.slot !== null);
        const over = dated.length > 0 && dated.every((line) => (line.slot ?? 0) < since);
        if (fresh.length < page.nodes.length || over || !page.pageInfo.hasNextPage || pages >= PAGES_MAX || left) break;
        const variables = { first: FIRST, after: page.pageInfo.endCursor };
        page = (await askNoted<{ postings: Page<Line> }>(LINES, variables)).postings;
      }
      const counted = [...lines.current.values()].filter((line) => line.slot !== null && line.slot >= since);
      if (!left) setTotal(sum(counted.map((line) => line.amount)));
    };
    gather(newest.data.postings).catch((error: unknown) => {
      if (!(error instanceof Fault)) throw error;
    });
    return () => {
      left = true;
    };
  }, [newest.data, since]);
  return total;
}
