// Where the nodes of a tree are drawn: leaves side by side, each parent above the middle of its children.

export interface Cell {
  readonly id: string;
  readonly parent: string | null;
  readonly column: number;
  readonly row: number;
}

/** A column may be a half. A child whose parent is not listed is drawn as a root. */
export function arrange(nodes: readonly { id: string; parent: string | null }[]): {
  cells: Cell[];
  columns: number;
  rows: number;
} {
  const known = new Set(nodes.map((node) => node.id));
  const below = new Map<string | null, string[]>();
  for (const node of nodes) {
    const parent = node.parent !== null && known.has(node.parent) ? node.parent : null;
    below.set(parent, [...(below.get(parent) ?? []), node.id]);
  }
  const cells: Cell[] = [];
  let columns = 0;
  let rows = 0;
  const place = (id: string, parent: string | null, row: number): number => {
    rows = Math.max(rows, row + 1);
    const children = (below.get(id) ?? []).sort().map((child) => place(child, id, row + 1));
    const first = children[0];
    const last = children[children.length - 1];
    const column = first === undefined || last === undefined ? columns++ : (first + last) / 2;
    cells.push({ id, parent, column, row });
    return column;
  };
  for (const root of (below.get(null) ?? []).sort()) place(root, null, 0);
  return { cells, columns, rows };
}
