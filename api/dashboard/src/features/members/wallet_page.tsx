// The wallet: which key signs, and how to change or delete it.

import { useState } from "preact/hooks";
import { Card, Figure, Figures, Head } from "../../parts/layout.tsx";
import { go } from "../../parts/route.ts";
import { useLive } from "../../transport/live.ts";
import { forget, type Take } from "../../wallet/keystore.ts";
import { ImportWallet } from "./wallet_import.tsx";

export function WalletPage({ take }: { take: Take }) {
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
      <Head title="Wallet">This key signs your orders. It stays in this browser and cannot be copied out of it.</Head>
      <Card title="Your key" span={7}>
        <Figures>
          <Figure name="Type" value={signer.algorithm} />
          <Figure name="Name" value={viewer?.name ?? (signer.label || "no name")} />
          <Figure name="Retailer" value={viewer?.retailer ?? "none yet"} />
        </Figures>
        <p class="did">
          <code>{signer.did}</code>
        </p>
        <div class="row">
          <button type="button" class="quiet" onClick={() => void navigator.clipboard.writeText(signer.did)}>
            Copy the ID
          </button>
          <button type="button" class="quiet" onClick={() => void leave(false)}>
            Sign out
          </button>
          {!sure && (
            <button type="button" class="quiet" onClick={() => setSure(true)}>
              Delete this key
            </button>
          )}
        </div>
        {sure && (
          <div class="signs">
            <p>
              You cannot undo this. Orders that you signed with this key are still settled, but you can sign with it
              again only if you have it in a wallet file.
            </p>
            <div class="row">
              <button type="button" class="act" onClick={() => void leave(true)}>
                Delete it for good
              </button>
              <button type="button" class="quiet" onClick={() => setSure(false)}>
                Keep the key
              </button>
            </div>
          </div>
        )}
      </Card>
      <Card title="Use another wallet file" span={5}>
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
