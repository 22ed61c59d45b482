// The wallet: who signs, how, and how to change or forget it.

import { useState } from "preact/hooks";
import { Card, Figure, Figures, Head } from "../../parts/layout.tsx";
import { go } from "../../parts/route.ts";
import { useLive } from "../../transport/live.ts";
import { forget, type Kept } from "../../wallet/keystore.ts";
import { ImportWallet } from "./wallet_import.tsx";

export function WalletPage({ take }: { take: (next: Kept | null) => void }) {
  const live = useLive();
  const [sure, setSure] = useState(false);
  const { signer, viewer } = live;
  if (!signer) return null;
  const leave = async (forgotten: boolean) => {
    if (forgotten) await forget(signer.did);
    go("");
    take(null);
  };
  return (
    <>
      <Head title="Wallet">The key that signs your offers. It was made for this browser and cannot be read out.</Head>
      <Card title="Your key" span={7}>
        <Figures>
          <Figure name="Kind" value={signer.algorithm} />
          <Figure name="Called" value={viewer?.name ?? (signer.label || "no name")} />
          <Figure name="Retailer" value={viewer?.retailer ?? "none yet"} />
        </Figures>
        <p class="did">
          <code>{signer.did}</code>
        </p>
        <div class="row">
          <button type="button" class="quiet" onClick={() => void navigator.clipboard.writeText(signer.did)}>
            Copy the name
          </button>
          <button type="button" class="quiet" onClick={() => void leave(false)}>
            Sign out
          </button>
          {!sure && (
            <button type="button" class="quiet" onClick={() => setSure(true)}>
              Forget this key
            </button>
          )}
        </div>
        {sure && (
          <div class="signs">
            <p>
              Forgetting is for good: orders signed with this key are still settled, but nobody can sign with it again
              unless you have it in a wallet file.
            </p>
            <div class="row">
              <button type="button" class="act" onClick={() => void leave(true)}>
                Forget it for good
              </button>
              <button type="button" class="quiet" onClick={() => setSure(false)}>
                Keep it
              </button>
            </div>
          </div>
        )}
      </Card>
      <Card title="Another wallet file" span={5}>
        <ImportWallet
          done={(kept) => {
            go("");
            take(kept);
          }}
        />
      </Card>
    </>
  );
}
