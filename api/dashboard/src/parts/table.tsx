// Tables that become lists of cards on a phone and stay tables for screen readers everywhere.

import type { ComponentChildren } from "preact";

export interface Column<T> {
  readonly head: ComponentChildren;
  readonly label: string;
  readonly cell: (row: T) => ComponentChildren;
  readonly number?: boolean;
  /** On a phone it takes a line of its own. */
  readonly wide?: boolean;
}

/** Rows under heads. The roles are written out because a phone's layout would drop them. */
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
            {columns.map((column) => (
              <td key={column.label} role="cell" class={column.number ? "number" : column.wide ? "wide" : undefined}>
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

/** The table view of a chart, closed until asked for. */
export function AsTable({ children }: { children: ComponentChildren }) {
  return (
    <details class="as-table">
      <summary>Show as a table</summary>
      {children}
    </details>
  );
}
