// What all parts of the page share: the market, its clock, the viewer and the connection; and `useAsk`.

import { createContext } from "preact";
import { useCallback, useContext, useEffect, useRef, useState } from "preact/hooks";
import type { Kept } from "../wallet/keystore.ts";
import { Fault, type Position } from "./calls.ts";
import { ask } from "./session.ts";
import type { Market, Viewer } from "./types.ts";

export interface Live {
  readonly market: Market;
  readonly viewer: Viewer | null;
  readonly signer: Kept | null;
  /** The market time at this moment, in seconds UTC. */
  readonly now: () => number;
  readonly currency: string;
  readonly zone: string;
  readonly reload: () => void;
}

export const LiveContext = createContext<Live | null>(null);

/** The shared state. It exists inside the shell only. */
export function useLive(): Live {
  const live = useContext(LiveContext);
  if (!live) throw new Error("useLive was called outside the shell");
  return live;
}

type Listener = () => void;
const listeners = { change: new Set<Listener>(), position: new Set<Listener>() };
let position: Position | null = null;
let positionAt = 0;
let reachable = true;

/** Tells every view that the ledger has changed. */
export function changed(): void {
  for (const listener of listeners.change) listener();
}

function seen(next: Position | null, answered: boolean): void {
  if (next) {
    position = next;
    positionAt = Date.now();
  }
  reachable = answered;
  for (const listener of listeners.position) listener();
}

/** Whether the market answers, and the position and the age of the data on the page. */
export function useConnection(): { position: Position | null; ageS: number; reachable: boolean } {
  const [, redraw] = useState(0);
  useEffect(() => {
    const listener = () => redraw((n) => n + 1);
    listeners.position.add(listener);
    const timer = window.setInterval(listener, 1000);
    return () => {
      listeners.position.delete(listener);
      window.clearInterval(timer);
    };
  }, []);
  const ageS = position ? position.ageS + (Date.now() - positionAt) / 1000 : 0;
  return { position, ageS, reachable };
}

/** Sends a query, and remembers the position of its answer and whether there was one. */
export async function askNoted<T>(
  query: string,
  variables: Readonly<Record<string, unknown>> = {},
  signal?: AbortSignal,
): Promise<T> {
  try {
    const answer = await ask<T>(query, variables, signal);
    seen(answer.position, true);
    return answer.data;
  } catch (error) {
    if (error instanceof Fault) seen(null, error.code !== "DISCONNECTED");
    throw error;
  }
}

export interface Asked<T> {
  /** The newest answer. It stays when a later query fails. */
  readonly data: T | null;
  readonly fault: Fault | null;
  readonly again: () => void;
}

const POLL_MS = 10_000;
export const GATHER_MS = 150; // changes come in bursts, one for each block

/** A query that is repeated when the ledger changes, and every ten seconds, while the page is visible. */
export function useAsk<T>(query: string, variables: Readonly<Record<string, unknown>> | null): Asked<T> {
  const [state, setState] = useState<{ key: string; data: T | null; fault: Fault | null }>({
    key: "",
    data: null,
    fault: null,
  });
  const key = variables === null ? "" : JSON.stringify(variables);
  const running = useRef<AbortController | null>(null);
  const isLate = useRef(false);

  const load = useCallback(async () => {
    if (!key) return;
    if (running.current) {
      isLate.current = true; // the ledger changes faster than it answers: ask once more afterwards
      return;
    }
    const controller = new AbortController();
    running.current = controller;
    isLate.current = false;
    try {
      const data = await askNoted<T>(query, JSON.parse(key) as Record<string, unknown>, controller.signal);
      if (!controller.signal.aborted) setState({ key, data, fault: null });
    } catch (error) {
      if (controller.signal.aborted) return;
      if (!(error instanceof Fault)) throw error;
      setState((before) => ({ key, data: before.data, fault: error }));
    } finally {
      if (running.current === controller) running.current = null;
    }
    if (isLate.current && !controller.signal.aborted) void load();
  }, [query, key]);

  useEffect(() => {
    let gathered = 0;
    void load();
    const listener = () => {
      window.clearTimeout(gathered);
      if (!document.hidden) gathered = window.setTimeout(() => void load(), GATHER_MS);
    };
    listeners.change.add(listener);
    document.addEventListener("visibilitychange", listener);
    const timer = window.setInterval(() => document.hidden || void load(), POLL_MS);
    return () => {
      listeners.change.delete(listener);
      document.removeEventListener("visibilitychange", listener);
      window.clearInterval(timer);
      window.clearTimeout(gathered);
      running.current?.abort();
      running.current = null;
    };
  }, [load]);

  return { data: state.data, fault: state.fault, again: () => void load() };
}

/** Renders again every `everyMs` milliseconds; for countdowns and "now". */
export function useTick(everyMs: number): void {
  const [, redraw] = useState(0);
  useEffect(() => {
    const timer = window.setInterval(() => redraw((n) => n + 1), everyMs);
    return () => window.clearInterval(timer);
  }, [everyMs]);
}
