// What became of a signed token: whether the contract carried it out, else its refusal with advice.

import { adviceOn } from "./refusal_advice.ts";

const TAKEN = new Set(["PLACED", "AMENDED", "CANCELLED", "EXISTS"]);

/** Whether the contract carried a token out; the orders of a refused token are named as well. */
export function isTaken(result: { readonly code: string } | null): boolean {
  return result !== null && TAKEN.has(result.code);
}

export function Refusal({ code, sentence }: { code: string; sentence: string }) {
  const advice = adviceOn(code);
  return (
    <div class="fault" role="alert">
      <p>
        {sentence} <code>{code}</code>
      </p>
      {advice && <p>{advice}</p>}
    </div>
  );
}
