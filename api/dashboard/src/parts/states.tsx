// The states of a view: nothing yet, loading, gone wrong. Each says in words what it is.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Fault } from "../transport/calls.ts";
import type { Asked } from "../transport/live.ts";

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

/** A grey place of the size of what comes. */
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

/** Code and sentence of a failure, to be copied, and a way to try again. */
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

/** What a question brought: its data, or the state that it is in. Old data stays under a failure. */
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
    const quiet = asked.fault?.code === "DISCONNECTED"; // the header says so already
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
