// Opens a wallet file of the command line with its passphrase and keeps one of its keys in this browser.

import { useId, useState } from "preact/hooks";
import { keep, type Kept } from "../../wallet/keystore.ts";
import { openListed, readWallet, WalletRefused, type Listed } from "../../wallet/walletfile.ts";

const PASSPHRASE_CHARACTERS_MIN = 8;

export function ImportWallet({ done }: { done: (kept: Kept) => void }) {
  const id = useId();
  const [listed, setListed] = useState<Listed[]>([]);
  const [did, setDid] = useState("");
  const [passphrase, setPassphrase] = useState("");
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState("");

  const read = async (file: File | undefined) => {
    setTrouble("");
    setListed([]);
    if (!file) return;
    try {
      const found = readWallet(await file.text());
      setListed(found);
      setDid(found[0]?.did ?? "");
    } catch (error) {
      if (!(error instanceof WalletRefused)) throw error;
      setTrouble(error.message);
    }
  };
  const open = async (event: Event) => {
    event.preventDefault();
    const entry = listed.find((each) => each.did === did);
    if (!entry) {
      setTrouble("Choose a wallet file first.");
      return;
    }
    setBusy(true);
    setTrouble("");
    try {
      done(await keep(await openListed(entry, passphrase), entry.label, false));
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(event) => void open(event)}>
      <div class="field">
        <label for={`${id}-file`}>Wallet file</label>
        <input
          id={`${id}-file`}
          type="file"
          accept=".json,application/json"
          onChange={(event) => void read(event.currentTarget.files?.[0])}
        />
      </div>
      {listed.length > 1 && (
        <div class="field">
          <label for={`${id}-key`}>Key</label>
          <select id={`${id}-key`} value={did} onChange={(event) => setDid(event.currentTarget.value)}>
            {listed.map((each) => (
              <option key={each.did} value={each.did}>
                {each.label || `…${each.did.slice(-8)}`}
              </option>
            ))}
          </select>
        </div>
      )}
      <div class="field">
        <label for={`${id}-pass`}>Passphrase</label>
        <input
          id={`${id}-pass`}
          type="password"
          autoComplete="off"
          minLength={PASSPHRASE_CHARACTERS_MIN}
          required
          value={passphrase}
          onInput={(event) => setPassphrase(event.currentTarget.value)}
        />
        <p class="note">The file and the passphrase stay in this browser.</p>
      </div>
      <button type="submit" disabled={busy}>
        {busy ? "Opening…" : "Open the wallet"}
      </button>
      {trouble && (
        <p class="fault" role="alert">
          {trouble}
        </p>
      )}
    </form>
  );
}
