// A new wallet joins the market: at once in a demonstration, elsewhere through a retailer.

import { useState } from "preact/hooks";
import { money, signedMoney } from "../../format/figures.ts";
import { clock, day } from "../../format/times.ts";
import { Card, Figure, Figures, Head } from "../../parts/layout.tsx";
import { ErrorBox } from "../../parts/states.tsx";
import { Fault } from "../../transport/calls.ts";
import { askNoted, useLive } from "../../transport/live.ts";
import { signHold, signJoin, signSupply } from "../../wallet/sheets.ts";

const OFFER = `mutation Offer { offerHome { meter retailer fromSlot validUntil } }`;
const ENROL = `mutation Enrol($join: String!, $hold: String!, $supply: String!) {
  enrol(join: $join, hold: $hold, supply: $supply) { meter zone retailer deposit fromSlot }
}`;

interface Offer {
  meter: string;
  retailer: string;
  fromSlot: number;
  validUntil: number;
}

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
      const { offerHome } = await askNoted<{ offerHome: Offer }>(OFFER);
      const join = await signJoin(live.signer, live.market, offerHome.retailer, live.now());
      const hold = await signHold(live.signer, live.market, offerHome.meter, live.now());
      const supply = await signSupply(live.signer, live.market, offerHome);
      setJoined((await askNoted<{ enrol: Enrolment }>(ENROL, { join, hold, supply })).enrol);
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
      <Card title={live.market.enrols ? "Join" : "Ask your retailer"} span={6}>
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
        ) : live.market.enrols ? (
          <>
            <p>
              In this demonstration a retailer accepts you at once. Your wallet signs that you join the retailer, hold the
              meter and agree to its supply. You get a certified meter and a deposit, and can trade as soon as the next
              slot opens.
            </p>
            <button type="button" class="primary" disabled={busy} onClick={() => void enrol()}>
              {busy ? "Joining…" : "Join"}
            </button>
          </>
        ) : (
          <p>
            Give your retailer the ID of your wallet, which is not secret, and the signed documents that it asks for: that
            you join it, that you hold the meter, and that it supplies the meter. The retailer then registers you, and
            the grid operator your meter.
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
