// What a reader has to know before trusting a figure: connection, age of the data, a locked account.

import { span } from "../format/times.ts";
import { ErrorBox } from "../parts/states.tsx";
import type { Fault } from "../transport/calls.ts";
import { useConnection, useLive } from "../transport/live.ts";

const STALE_S = 30;

export function Notices({ fault }: { fault: Fault | null }) {
  const live = useLive();
  const { position, ageS, reachable } = useConnection();
  if (!reachable) {
    return (
      <p class="notice act" role="status">
        Not connected: the market does not answer. The page keeps trying and keeps what you typed.
        {position && position.block > 0 && ` You see data from block ${position.block}, ${span(ageS)} old.`}
      </p>
    );
  }
  if (!live.market.writable) {
    return (
      <p class="notice act" role="status">
        {live.market.sentence || "The ledger takes no orders at the moment. You can still read everything."}
      </p>
    );
  }
  if (position?.block === 0) {
    return (
      <p class="notice" role="status">
        The market is reading its ledger for the first time. The figures appear in a moment.
      </p>
    );
  }
  if (position && ageS > STALE_S) {
    return (
      <p class="notice" role="status">
        You see data from block {position.block}, {span(ageS)} old.
      </p>
    );
  }
  if (fault && live.viewer) return <div class="notice"><ErrorBox fault={fault} again={live.reload} /></div>;
  if (live.viewer?.locked) {
    return (
      <p class="notice act" role="status">
        Your account is locked. You cannot place orders until your retailer unlocks it.
      </p>
    );
  }
  return null;
}

export function Footer() {
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
