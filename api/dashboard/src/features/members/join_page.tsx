// A new wallet joins the market: at once in a demonstration, elsewhere through a retailer.

import { useState } from "preact/hooks";
import { money, signedMoney } from "../../format/figures.ts";
import { clock, day } from "../../format/times.ts";
import { Card, Figure, Figures, Head } from "../../parts/layout.tsx";
import { ErrorBox } from "../../parts/states.tsx";
import { Fault } from "../../transport/calls.ts";
import { askNoted, useLive } from "../../transport/live.ts";
import { signHold, signJoin } from "../../wallet/sheets.ts";

const OFFER = `query Offer { offeredHome { meter retailer } }`;
const ENROL = `mutation Enrol($join: String!, $hold: String!) {
  enrol(join: $join, hold: $hold) { meter zone retailer deposit fromSlot }
}`;

interface Enrolment {
  meter: string;
  zone: string;
  retailer: string;
  deposit: string;
  fromSlot: number;
}

export function Join() {
  const live = useLive();
  const [busy, setBusy] = useState(false);
  const [joined, setJoined] = useState<Enrolment | null>(null);
  const [fault, setFault] = useState<Fault | null>(null);
  const did = live.signer?.did ?? "";
  const enrol = async () => {
    if (!live.signer) return;
    setBusy(true);
    setFault(null);
    try {
      const { offeredHome: home } = await askNoted<{ offeredHome: { meter: string; retailer: string } }>(OFFER);
      const join = await signJoin(live.signer, live.market, home.retailer, live.now());
      const hold = await signHold(live.signer, live.market, home.meter, live.now());
      setJoined((await askNoted<{ enrol: Enrolment }>(ENROL, { join, hold })).enrol);
      live.reload();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      setFault(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Head title="Join the market">Your wallet is ready. You still need a meter and a retailer.</Head>
      <Card title={live.market.demonstration ? "Join" : "Ask your retailer"} span={6}>
        {joined ? (
          <>
            <p>
              <b>Welcome.</b> Your home page opens as soon as the ledger shows your meter.
            </p>
            <Figures>
              <Figure name="Meter" value={joined.meter} />
              <Figure name="Zone" value={joined.zone} />
              <Figure name="Retailer" value={joined.retailer} />
              <Figure name="Deposit" value={signedMoney(money(joined.deposit), live.currency)} />
              <Figure name="You can trade from" value={`${day(joined.fromSlot, live.zone)}, ${clock(joined.fromSlot, live.zone)}`} />
            </Figures>
          </>
        ) : live.market.demonstration ? (
          <>
            <p>
              In this demonstration a retailer accepts you at once. You get a certified meter and a deposit, so you can
              start to trade immediately. Your wallet signs that you join the retailer and hold the meter.
            </p>
            <button type="button" class="primary" disabled={busy} onClick={() => void enrol()}>
              {busy ? "Joining…" : "Join"}
            </button>
          </>
        ) : (
          <p>
            Give your retailer the ID of your wallet, which is not secret, and the signed join and hold that it asks
            for. The retailer then registers you, and the grid operator your meter.
          </p>
        )}
        {fault && <ErrorBox fault={fault} again={() => void enrol()} />}
      </Card>
      <Card title="The ID of your wallet" span={6}>
        <p class="did">
          <code>{did}</code>
        </p>
        <button type="button" class="quiet" onClick={() => void navigator.clipboard.writeText(did)}>
          Copy
        </button>
      </Card>
    </>
  );
}
