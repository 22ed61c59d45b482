// What became of a signed token: whether the contract carried it out, else its refusal and what to do.

const TAKEN = new Set(["PLACED", "AMENDED", "CANCELLED", "EXISTS"]);

/** Whether the contract carried a token out; the orders of a refused token are named as well. */
export function isTaken(result: { readonly code: string } | null): boolean {
  return result !== null && TAKEN.has(result.code);
}

/** Why a token was not carried out. The contract words both the sentence and the remedy. */
export interface Refused {
  readonly code: string;
  readonly sentence: string;
  readonly remedy: string | null;
}

export function Refusal({ code, sentence, remedy }: Refused) {
  return (
    <div class="fault" role="alert">
      <p>
        {sentence} <code>{code}</code>
      </p>
      {remedy && <p>{remedy}</p>}
    </div>
  );
}
