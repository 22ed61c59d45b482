// Tabs of a card: one view is shown at a time, and arrow keys move between them.

import { useRef } from "preact/hooks";

export function Tabs<K extends string>({
  label,
  views,
  chosen,
  choose,
}: {
  label: string;
  views: readonly { readonly key: K; readonly name: string }[];
  chosen: K;
  choose: (key: K) => void;
}) {
  const row = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!step) return;
    event.preventDefault();
    const at = views.findIndex((view) => view.key === chosen);
    const next = (at + step + views.length) % views.length;
    const view = views[next];
    if (view) choose(view.key);
    (row.current?.children[next] as HTMLElement | undefined)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={label} ref={row} onKeyDown={move}>
      {views.map((view) => (
        <button
          key={view.key}
          type="button"
          role="tab"
          aria-selected={view.key === chosen}
          tabIndex={view.key === chosen ? 0 : -1}
          onClick={() => choose(view.key)}
        >
          {view.name}
        </button>
      ))}
    </div>
  );
}
