// For whoever has no key here yet: make one, bring one, or look around.

import { useState } from "preact/hooks";
import { Card, Head } from "../../parts/layout.tsx";
import { go } from "../../parts/route.ts";
import { useLive } from "../../transport/live.ts";
import { keep, type Kept } from "../../wallet/keystore.ts";
import { generate } from "../../wallet/tokens.ts";
import { ImportWallet } from "../members/wallet_import.tsx";

export function Welcome({ take }: { take: (next: Kept | null) => void }) {
  const live = useLive();
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState("");
  const make = async () => {
    setBusy(true);
    try {
      const kept = await keep(await generate(), "", false);
      go("");
      take(kept);
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };
  return (
    <>
      <Head title="Trade electricity with your neighbours">
        Sell what your roof makes beyond your own use, buy what a neighbour has left, every quarter of an hour.
      </Head>
      <Card title="New here" span={6}>
        <p>
          You sign your offers with a key that is made in this browser and never leaves it. There is no password and no
          registration by mail.
        </p>
        <button type="button" class="primary" disabled={busy} onClick={() => void make()}>
          {busy ? "Making your wallet…" : "Make a wallet"}
        </button>
        {trouble && (
          <p class="fault" role="alert">
            {trouble}
          </p>
        )}
      </Card>
      <Card title="You have a wallet file" span={6}>
        <ImportWallet
          done={(kept) => {
            go("");
            take(kept);
          }}
        />
      </Card>
      {live.market.demonstration && (
        <Card title="Just looking" span={12}>
          <p>
            This is a demonstration: choose a household, a retailer, the grid operator, an oracle operator or the
            regulator at the top of the page and see the market with their eyes.
          </p>
        </Card>
      )}
    </>
  );
}
