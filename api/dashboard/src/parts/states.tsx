// What a view shows while it has no data: that it is empty, that it is loading, or what went wrong.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Fault } from "../transport/calls.ts";
import type { Asked } from "../transport/live.ts";

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

/** Grey lines in the place of data that is being loaded. */
export function Skeleton({ lines = 3, tall = false }: { lines?: number; tall?: boolean }) {
  return (
    <div class={tall ? "skeleton tall" : "skeleton"} role="status">
      <span class="unseen">Loading</span>
      {Array.from({ length: lines }, (_, index) => (
        <span key={index} class="bone" />
      ))}
    </div>
  );
}

/** The sentence and the code of a failure, with buttons to copy them and to try again. */
export function ErrorBox({ fault, again }: { fault: Fault; again?: () => void }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(`${fault.code}: ${fault.message}`);
    setCopied(true);
  };
  return (
    <div class="fault" role="alert">
      <p>
        {fault.message} <code>{fault.code}</code>
      </p>
      <div class="row">
        {again && (
          <button type="button" onClick={again}>
            Try again
          </button>
        )}
        <button type="button" class="quiet" onClick={() => void copy()}>
          {copied ? "Copied" : "Copy"}
        </button>
      </div>
    </div>
  );
}

/** The data of a query, or its state while there is none. Older data stays visible below a failure. */
export function Shown<T>({
  asked,
  lines,
  tall,
  children,
}: {
  asked: Asked<T>;
  lines?: number;
  tall?: boolean;
  children: (data: T) => ComponentChildren;
}) {
  if (asked.data !== null) {
    const quiet = asked.fault?.code === "DISCONNECTED"; // the notice at the top of the page says so
    return (
      <>
        {asked.fault && !quiet && <ErrorBox fault={asked.fault} again={asked.again} />}
        {children(asked.data)}
      </>
    );
  }
  if (asked.fault) return <ErrorBox fault={asked.fault} again={asked.again} />;
  return <Skeleton lines={lines ?? 3} tall={tall ?? false} />;
}
