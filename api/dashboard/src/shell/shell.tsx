// The frame of all pages: who one is, what the market is, where one can go, how fresh it is.

import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { PAGES, ROLE_NAMES } from "./pages.ts";
import { ErrorBox, Skeleton } from "../parts/states.tsx";
import { go, useRoute } from "../parts/route.ts";
import { pace, range, slotOf, span } from "../format/times.ts";
import { Fault } from "../transport/calls.ts";
import { askNoted, changed, LiveContext, useConnection, useLive, useTick, type Live } from "../transport/live.ts";
import { use } from "../transport/session.ts";
import { Stream } from "../transport/stream.ts";
import type { Market, Persona, Viewer } from "../transport/types.ts";
import { Join } from "../features/members/join_page.tsx";
import { WalletPage } from "../features/members/wallet_page.tsx";
import { Welcome } from "../features/home/landing.tsx";
import * as keys from "../wallet/keystore.ts";
import { importPkcs8 } from "../wallet/tokens.ts";
import { pemBytes } from "../wallet/walletfile.ts";

const METER = `id zone retailer holder importPower exportPower source fromSlot
  lastReading { slot version import export importRegister exportRegister quality resolution block }
  health { state sentence at }`;
const START = `query Start {
  market { area channel contract currency timeZone slotS marketTime rate engine writable sentence block blockTime
    demonstration openSlots { start gate priceMin priceMax } }
  viewer { did role member name retailer zone locked meters { ${METER} } }
}`;
const STALE_S = 30;

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
    const timer = window.setInterval(() => void load(), 4000);
    return () => window.clearInterval(timer);
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
    const wanted = [
      { query: "subscription { prices { slot zone price } }", take: changed },
      { query: "subscription { slots { start phase } }", take: () => { changed(); void load(); } },
    ];
    if (role === "HOUSEHOLD") {
      wanted.push({ query: "subscription { myTrades { id state } }", take: changed });
      wanted.push({ query: "subscription { myBalance { amount } }", take: changed });
    }
    const stream = new Stream(wanted, () => undefined);
    return () => stream.close();
  }, [signer, role, load]);
}

type Take = (next: keys.Kept | null) => void;

function Content({ take, fault }: { take: Take; fault: Fault | null }) {
  const live = useLive();
  const route = useRoute();
  const pages = live.viewer ? PAGES[live.viewer.role] : [];
  const found = pages.find((each) => each.path === route.page) ?? pages[0];
  const title = route.page === "wallet" ? "Wallet" : (found?.name ?? "Welcome");
  useEffect(() => {
    document.title = `${title} · Commonwatt`;
  }, [title]);
  if (!live.signer) return <Welcome take={take} />;
  if (route.page === "wallet") return <WalletPage take={take} />;
  if (!live.viewer) return fault ? <ErrorBox fault={fault} again={live.reload} /> : <Skeleton lines={6} tall />;
  if (live.viewer.role === "HOUSEHOLD" && !live.viewer.meters.length) return <Join />;
  if (!found) return null;
  const View = found.view;
  return <View key={live.viewer.did} />;
}

function Header({ take }: { take: Take }) {
  const live = useLive();
  const route = useRoute();
  const { market, viewer } = live;
  const joined = viewer && (viewer.role !== "HOUSEHOLD" || viewer.meters.length > 0);
  const pages = joined ? PAGES[viewer.role] : [];
  const here = pages.find((each) => each.path === route.page) ?? (route.page === "wallet" ? undefined : pages[0]);
  return (
    <header class="top">
      <div class="bar">
        <a class="brand" href="#/">
          <img src="/mark.svg" alt="" width="24" height="24" />
          Commonwatt
        </a>
        <p class="pace">
          <span class="area">{market.area}</span>
          {market.demonstration && (
            <span class="demo">
              demonstration{market.rate !== 1 ? `: ${pace(market.slotS, market.rate)}` : ""}
            </span>
          )}
        </p>
        <Switch take={take} />
      </div>
      {pages.length > 0 && (
        <nav aria-label="Pages">
          {pages.map((each) => (
            <a key={each.path} href={`#/${each.path}`} aria-current={each === here ? "page" : undefined}>
              {each.name}
            </a>
          ))}
          <NextGate />
        </nav>
      )}
    </header>
  );
}

function NextGate() {
  const live = useLive();
  useTick(500);
  const now = live.now();
  const next = live.market.openSlots.find((slot) => slot.gate > now);
  const { slotS, rate } = live.market;
  return (
    <span class="gate">
      {range(slotOf(now, slotS), slotS, live.zone)}
      {next && (
        <>
          {" · "}
          <span class="nowrap">
            gate for {range(next.start, slotS, live.zone)} closes in {span((next.gate - now) / rate)}
          </span>
        </>
      )}
    </span>
  );
}

const NEW = "+new";

function Switch({ take }: { take: Take }) {
  const live = useLive();
  const [personas, setPersonas] = useState<Persona[]>([]);
  const [own, setOwn] = useState<keys.Kept[]>([]);
  const [trouble, setTrouble] = useState<string | null>(null);
  const { demonstration } = live.market;
  useEffect(() => {
    if (!demonstration) return;
    fetch("/demonstration/personas", { credentials: "omit" })
      .then((response) => (response.ok ? response.json() : []))
      .then((list: Persona[]) => setPersonas(list), () => setPersonas([]));
  }, [demonstration]);
  useEffect(() => {
    keys.kept().then((all) => setOwn(all.filter((each) => !each.persona)), () => setOwn([]));
  }, [live.signer]);

  const choose = async (did: string) => {
    const persona = personas.find((each) => each.did === did);
    setTrouble(null);
    if (did === NEW) take(null);
    else if (persona) {
      try {
        take(await keys.keep(await importPkcs8(pemBytes(persona.pkcs8)), persona.name, true));
      } catch {
        setTrouble(`This browser does not take the key of ${persona.name}. A wallet that you make here works.`);
        return;
      }
    } else take(own.find((each) => each.did === did) ?? null);
    go("");
  };
  if (!demonstration && !live.signer) return <div class="switch" />;
  return (
    <>
      <div class="switch">
        {(demonstration || own.length > 1) && (
          <label>
            <span class="unseen">Who you are</span>
            <select value={live.signer?.did ?? NEW} onChange={(event) => void choose(event.currentTarget.value)}>
              {own.map((each, index) => (
                <option key={each.did} value={each.did}>
                  {each.label || `My wallet ${index + 1}`}
                </option>
              ))}
              {personas.map((each) => (
                <option key={each.did} value={each.did}>
                  {each.name} ({ROLE_NAMES[each.role]})
                </option>
              ))}
              <option value={NEW}>New wallet…</option>
            </select>
          </label>
        )}
        {live.signer && (
          <a class="button quiet" href="#/wallet">
            Wallet
          </a>
        )}
      </div>
      {trouble && (
        <p class="fault" role="alert">
          {trouble}
        </p>
      )}
    </>
  );
}

function Notices({ fault }: { fault: Fault | null }) {
  const live = useLive();
  const { position, ageS, reachable } = useConnection();
  if (!reachable) {
    return (
      <p class="notice act" role="status">
        Not connected: the market does not answer. Trying again; what you typed is kept.
        {position && position.block > 0 && ` Shown: data from block ${position.block}, ${span(ageS)} old.`}
      </p>
    );
  }
  if (!live.market.writable) {
    return (
      <p class="notice act" role="status">
        {live.market.sentence || "The ledger takes no orders at present. You can still read."}
      </p>
    );
  }
  if (position?.block === 0) {
    return (
      <p class="notice" role="status">
        The ledger is being read for the first time. Figures come in a moment.
      </p>
    );
  }
  if (position && ageS > STALE_S) {
    return (
      <p class="notice" role="status">
        Data from block {position.block}, {span(ageS)} old.
      </p>
    );
  }
  if (fault && live.viewer) return <div class="notice"><ErrorBox fault={fault} again={live.reload} /></div>;
  if (live.viewer?.locked) {
    return (
      <p class="notice act" role="status">
        Your account is locked: new orders are refused until your retailer opens it again.
      </p>
    );
  }
  return null;
}

function Footer() {
  const live = useLive();
  const { position, ageS } = useConnection();
  return (
    <footer class="foot">
      <span>
        Block {position?.block ?? live.market.block}
        {position && position.block > 0 && `, ${span(ageS)} old`}
      </span>
      {live.signer && <span>You sign as <code title={live.signer.did}>…{live.signer.did.slice(-8)}</code></span>}
    </footer>
  );
}
