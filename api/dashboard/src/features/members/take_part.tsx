// How a visitor takes part: with a wallet of this browser, a new one, a file, or as a persona.

import { useEffect, useState } from "preact/hooks";
import { Card } from "../../parts/layout.tsx";
import { go } from "../../parts/route.ts";
import { useLive } from "../../transport/live.ts";
import { keep, kept, type Kept, type Take } from "../../wallet/keystore.ts";
import { generate } from "../../wallet/tokens.ts";
import { borrow, ROLE_TASKS, usePersonas } from "./personas.ts";
import { ImportWallet } from "./wallet_import.tsx";

export function TakePart({ take }: { take: Take }) {
  const live = useLive();
  const personas = usePersonas(live.market.enrols);
  const [own, setOwn] = useState<Kept[]>([]);
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState("");
  useEffect(() => {
    kept().then((all) => setOwn(all.filter((each) => !each.persona)), () => setOwn([]));
  }, []);
  const enter = async (made: Promise<Kept>) => {
    setBusy(true);
    setTrouble("");
    try {
      take(await made);
      go("");
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };
  return (
    <Card title="Take part" span={4}>
      <div class="take-part">
        <p>You sign your orders with a key that never leaves this browser. You need no password.</p>
        {own.map((each, index) => (
          <button key={each.did} type="button" disabled={busy} onClick={() => void enter(Promise.resolve(each))}>
            Continue with {each.label || `my wallet ${index + 1}`}
          </button>
        ))}
        <button type="button" class="primary" disabled={busy} onClick={() => void enter(generate().then((made) => keep(made, "", false)))}>
          {busy ? "Opening…" : "Make a wallet"}
        </button>
        {trouble && (
          <p class="fault" role="alert">
            {trouble}
          </p>
        )}
        <details>
          <summary>Open a wallet file</summary>
          <ImportWallet done={(made) => void enter(Promise.resolve(made))} />
        </details>
        {personas.length > 0 && (
          <div class="personas">
            <h3>Or be one of these</h3>
            {[...new Set(personas.map((each) => each.role))].map((role) => (
              <div key={role} class="persona-role">
                <p class="faint">{ROLE_TASKS[role]}</p>
                <div class="row">
                  {personas
                    .filter((each) => each.role === role)
                    .map((each) => (
                      <button key={each.did} type="button" class="quiet" disabled={busy} onClick={() => void enter(borrow(each))}>
                        {each.name}
                      </button>
                    ))}
                </div>
              </div>
            ))}
          </div>
        )}
      </div>
    </Card>
  );
}
