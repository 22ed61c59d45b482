// The frame of all pages: it signs in, follows the market, and shows the page of the address.

import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Landing } from "../features/home/landing.tsx";
import { Join } from "../features/members/join_page.tsx";
import { WalletPage } from "../features/members/wallet_page.tsx";
import { useRoute } from "../parts/route.ts";
import { ErrorBox, Skeleton } from "../parts/states.tsx";
import { Fault } from "../transport/calls.ts";
import { askNoted, changed, GATHER_MS, LiveContext, useLive, type Live } from "../transport/live.ts";
import { use } from "../transport/session.ts";
import { Stream } from "../transport/stream.ts";
import type { Market, Viewer } from "../transport/types.ts";
import * as keys from "../wallet/keystore.ts";
import { Header } from "./header.tsx";
import { Footer, Notices } from "./notices.tsx";
import { PAGES } from "./pages.ts";

const METER = `id zone retailer offtaker retired holder importPower exportPower source fromSlot firstSlot
  lastReading { slot import export importRegister exportRegister quality resolution block }
  health { state sentence at }`;
const START = `query Start {
  market { area channel contract currency timeZone slotS marketTime rate engine writable sentence block blockTime
    demonstration enrols publicBook openSlots { start gate priceMin priceMax shortfallPenalty } }
  viewer { did role member name retailer zone locked meters { ${METER} } }
}`;

interface Started {
  readonly market: Market;
  readonly viewer: Viewer | null;
  readonly at: number;
}

export function Shell() {
  const [signer, setSigner] = useState<keys.Kept | null | undefined>(undefined);
  const [started, setStarted] = useState<Started | null>(null);
  const [fault, setFault] = useState<Fault | null>(null);
  const holder = useRef<string | null>(null);

  const take = useCallback((next: keys.Kept | null) => {
    keys.choose(next?.did ?? null);
    use(next);
    holder.current = next?.did ?? null;
    setStarted((before) => before && { ...before, viewer: null });
    setFault(null);
    setSigner(next);
  }, []);

  useEffect(() => {
    keys.current().then(take, () => take(null));
  }, [take]);

  const load = useCallback(async () => {
    const asked = holder.current;
    try {
      const data = await askNoted<{ market: Market; viewer: Viewer | null }>(START);
      if (asked !== holder.current) return;
      setStarted({ ...data, at: Date.now() });
      setFault(null);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      if (asked === holder.current) setFault(error);
    }
  }, []);

  useEffect(() => {
    if (signer === undefined) return;
    void load();
    const listener = () => document.hidden || void load();
    document.addEventListener("visibilitychange", listener);
    const timer = window.setInterval(listener, 4000);
    return () => {
      document.removeEventListener("visibilitychange", listener);
      window.clearInterval(timer);
    };
  }, [signer, load]);

  useSubscriptions(signer, started?.viewer?.role ?? null, load);

  const live = useMemo<Live | null>(() => {
    if (!started || signer === undefined) return null;
    const { market, viewer, at } = started;
    const now = () => market.marketTime + ((Date.now() - at) / 1000) * market.rate;
    return { market, viewer, signer, now, currency: market.currency, zone: market.timeZone, reload: () => void load() };
  }, [started, signer, load]);

  if (!live) {
    return (
      <main class="page">
        <h1 class="unseen">Commonwatt</h1>
        {fault ? <ErrorBox fault={fault} again={() => void load()} /> : <Skeleton lines={6} tall />}
      </main>
    );
  }
  return (
    <LiveContext.Provider value={live}>
      <a class="skip" href="#content" onClick={(event) => { event.preventDefault(); document.getElementById("content")?.focus(); }}>
        Skip to the content
      </a>
      <Header take={take} />
      <Notices fault={fault} />
      <main class="page" id="content" tabIndex={-1}>
        <Content take={take} fault={fault} />
      </main>
      <Footer />
    </LiveContext.Provider>
  );
}

function useSubscriptions(signer: keys.Kept | null | undefined, role: string | null, load: () => Promise<void>) {
  useEffect(() => {
    if (signer === undefined) return;
    let gathered = 0;
    const slotsChanged = () => {
      changed();
      window.clearTimeout(gathered);
      if (!document.hidden) gathered = window.setTimeout(() => void load(), GATHER_MS);
    };
    const wanted = [
      { query: "subscription { prices { slot zone price } }", take: changed },
      { query: "subscription { slots { start phase } }", take: slotsChanged },
    ];
    if (role === "HOUSEHOLD") {
      wanted.push({ query: "subscription { myTrades { id state } }", take: changed });
      wanted.push({ query: "subscription { myBalance { amount } }", take: changed });
    }
    const stream = new Stream(wanted, () => undefined);
    return () => {
      window.clearTimeout(gathered);
      stream.close();
    };
  }, [signer, role, load]);
}

function Content({ take, fault }: { take: keys.Take; fault: Fault | null }) {
  const live = useLive();
  const route = useRoute();
  const pages = live.viewer ? PAGES[live.viewer.role] : [];
  const found = pages.find((each) => each.path === route.page) ?? pages[0];
  const named = route.page === "wallet" ? "Wallet" : (found?.name ?? "Join");
  const title = live.signer ? named : "The market now";
  useEffect(() => {
    document.title = `${title} · Commonwatt`;
  }, [title]);
  if (!live.signer) return <Landing take={take} />;
  if (route.page === "wallet") return <WalletPage take={take} />;
  if (!live.viewer) return fault ? <ErrorBox fault={fault} again={live.reload} /> : <Skeleton lines={6} tall />;
  if (live.viewer.role === "HOUSEHOLD" && !live.viewer.meters.length) return <Join />;
  if (!found) return null;
  const View = found.view;
  return <View key={live.viewer.did} />;
}
