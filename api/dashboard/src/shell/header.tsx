// The head of every page: the market, the menu of the viewer's role, the next gate, who one is.

import { useEffect, useState } from "preact/hooks";
import { borrow, ROLE_NAMES, usePersonas } from "../features/members/personas.ts";
import { pace, range, slotOf, span } from "../format/times.ts";
import { go, useRoute } from "../parts/route.ts";
import { useLive, useTick } from "../transport/live.ts";
import * as keys from "../wallet/keystore.ts";
import { PAGES } from "./pages.ts";

export function Header({ take }: { take: keys.Take }) {
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
        <WhoMenu take={take} />
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

const NOBODY = "";

/** The wallets of this browser and, in a demonstration, the personas. */
function WhoMenu({ take }: { take: keys.Take }) {
  const live = useLive();
  const { enrols } = live.market;
  const personas = usePersonas(enrols);
  const [own, setOwn] = useState<keys.Kept[]>([]);
  const [trouble, setTrouble] = useState<string | null>(null);
  useEffect(() => {
    keys.kept().then((all) => setOwn(all.filter((each) => !each.persona)), () => setOwn([]));
  }, [live.signer]);

  const choose = async (did: string) => {
    const persona = personas.find((each) => each.did === did);
    setTrouble(null);
    try {
      take(persona ? await borrow(persona) : (own.find((each) => each.did === did) ?? null));
      go("");
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
    }
  };
  if (!enrols && !live.signer && !own.length) return <div class="switch" />;
  return (
    <>
      <div class="switch">
        {(enrols || own.length > 1 || !live.signer) && (
          <label>
            <span class="unseen">Who you are</span>
            <select value={live.signer?.did ?? NOBODY} onChange={(event) => void choose(event.currentTarget.value)}>
              <option value={NOBODY}>Visitor, not signed in</option>
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
