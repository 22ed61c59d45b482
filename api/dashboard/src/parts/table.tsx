// Tables. On a phone each row becomes a card; for screen readers it is always a table.

import type { ComponentChildren } from "preact";

export interface Column<T> {
  readonly head: ComponentChildren;
  readonly label: string;
  readonly cell: (row: T) => ComponentChildren;
  readonly number?: boolean;
  /** On a phone this cell has a line of its own. */
  readonly wide?: boolean;
}

/** Which columns have a line of their own on a phone: the first, wide ones, and those without a neighbour. */
export function lines(columns: readonly { readonly wide?: boolean }[]): boolean[] {
  const alone = columns.map((column, place) => place === 0 || column.wide === true);
  let open: number | null = null;
  for (let place = 0; place <= alone.length; place += 1) {
    if (place === alone.length || alone[place]) {
      if (open !== null) alone[open] = true;
      open = null;
    } else open = open === null ? place : null;
  }
  return alone;
}

/** A table of rows. Its roles are written out because the layout on a phone would drop them. */
export function Table<T>({
  caption,
  columns,
  rows,
  keyOf,
  chosen,
}: {
  caption: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  keyOf: (row: T) => string;
  chosen?: (row: T) => boolean;
}) {
  const alone = lines(columns);
  return (
    <table role="table">
      <caption class="unseen">{caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map((column) => (
            <th key={column.label} role="columnheader" scope="col" class={column.number ? "number" : undefined}>
              {column.head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr key={keyOf(row)} role="row" class={chosen?.(row) ? "chosen" : undefined}>
            {columns.map((column, place) => (
              <td key={column.label} role="cell" class={`${column.number ? "number" : ""} ${alone[place] ? "wide" : ""}`.trim()}>
                <span class="label" aria-hidden="true">
                  {column.label}
                </span>
                <span class="value">{column.cell(row)}</span>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The figures of a chart as a table, closed at first. */
export function AsTable({ children }: { children: ComponentChildren }) {
  return (
    <details class="as-table">
      <summary>Show as a table</summary>
      {children}
    </details>
  );
}
