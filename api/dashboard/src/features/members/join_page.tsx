// A wallet that the market does not know yet: it joins, where the market lets it.

import { useState } from "preact/hooks";
import { energy, money, signedMoney } from "../../format/figures.ts";
import { Card, Figure, Figures, Head } from "../../parts/layout.tsx";
import { ErrorBox } from "../../parts/states.tsx";
import { clock, day } from "../../format/times.ts";
import { Fault } from "../../transport/calls.ts";
import { askNoted, useLive } from "../../transport/live.ts";

const ENROL = `mutation Enrol { enrol { meter zone retailer deposit fromSlot } }`;

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
    setBusy(true);
    setFault(null);
    try {
      setJoined((await askNoted<{ enrol: Enrolment }>(ENROL)).enrol);
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
      <Head title="Join the market">Your wallet is ready. What is missing is a meter and a retailer.</Head>
      <Card title={live.market.demonstration ? "Join" : "Ask your retailer"} span={6}>
        {joined ? (
          <>
            <p>
              <b>Welcome.</b> This page opens by itself as soon as the ledger shows your meter.
            </p>
            <Figures>
              <Figure name="Meter" value={joined.meter} />
              <Figure name="Zone" value={joined.zone} />
              <Figure name="Retailer" value={joined.retailer} />
              <Figure name="Paid in for you" value={signedMoney(money(joined.deposit), live.currency)} />
              <Figure name="Trades from" value={`${day(joined.fromSlot, live.zone)}, ${clock(joined.fromSlot, live.zone)}`} />
            </Figures>
          </>
        ) : live.market.demonstration ? (
          <>
            <p>
              In this demonstration a retailer takes you on at once, a meter is certified for you, and a deposit is paid
              in, so that you can trade {energy(1)} or more right away.
            </p>
            <button type="button" class="primary" disabled={busy} onClick={() => void enrol()}>
              {busy ? "Joining…" : "Join"}
            </button>
          </>
        ) : (
          <p>Give your retailer the name of your wallet; it registers you and your meter. Nothing secret is in it.</p>
        )}
        {fault && <ErrorBox fault={fault} again={() => void enrol()} />}
      </Card>
      <Card title="The name of your wallet" span={6}>
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
