/**
 * The snapshots of a VM as a tree, in the order in which rows show it. A chain stays in one column:
 * only what branches off it is set in, so that a hundred backups are no staircase. The VM itself is a
 * node, below the snapshot that it goes on from: "you are here".
 */
import type { SnapshotRecord } from '../../storage/snapshots/record.ts';

export interface SnapshotNode {
  /** Id of the snapshot; `here` for the VM itself. */
  readonly id: string;
  /** Undefined: the VM itself. */
  readonly record: SnapshotRecord | undefined;
  readonly parent: string | undefined;
  readonly hasChildren: boolean;
  /** Of the tree, from 1 on: what screen readers say. */
  readonly level: number;
  readonly position: number;
  readonly siblings: number;
  /** Columns that it is set in. */
  readonly column: number;
}

export const HERE = 'here';

interface Draft {
  id: string;
  record: SnapshotRecord | undefined;
  parent: string | undefined;
  children: Draft[];
  /** The VM is this node or below it. */
  leadsHere: boolean;
  /** Newest time at or below it. */
  newest: number;
}

/** Those of a VM, with the ancestors of others that they come from; all, when `vm` is undefined. */
export function snapshotsOf(
  list: readonly SnapshotRecord[],
  vm: string | undefined,
  current: string | undefined,
): SnapshotRecord[] {
  const byId = new Map(list.map((record) => [record.id, record]));
  const wanted = new Set<string>();
  const take = (id: string | undefined) => {
    for (let at = id; at !== undefined && !wanted.has(at); at = byId.get(at)?.parent)
      wanted.add(at);
  };
  for (const record of list) if (record.vm === vm) take(record.id);
  take(current);
  return list.filter(({ id }) => wanted.has(id));
}

/** The rows of the tree; below ids in `collapsed` there are none. */
export function snapshotTree(
  list: readonly SnapshotRecord[],
  current: string | undefined,
  collapsed: ReadonlySet<string> = new Set(),
): SnapshotNode[] {
  const drafts = new Map<string, Draft>();
  for (const record of list) {
    const { id, parent, time } = record;
    drafts.set(id, { id, record, parent, children: [], leadsHere: false, newest: time });
  }
  const here: Draft = {
    id: HERE,
    record: undefined,
    parent: current,
    children: [],
    leadsHere: true,
    newest: Number.POSITIVE_INFINITY,
  };
  const roots: Draft[] = [];
  for (const draft of [...drafts.values(), here]) {
    const parent = draft.parent === undefined ? undefined : drafts.get(draft.parent);
    // A cycle cannot come from the storage, but a file may claim one.
    if (parent === undefined || isBelow(parent, draft, drafts)) {
      roots.push(draft);
      draft.parent = undefined;
    } else parent.children.push(draft);
  }
  for (const root of roots) settle(root);
  const rows: SnapshotNode[] = [];
  const walk = (siblings: Draft[], level: number, column: number) => {
    // What goes on is last, in the same column; what branches off comes before it, set in.
    const ordered = siblings.toSorted((a, b) => rank(a) - rank(b) || a.newest - b.newest);
    ordered.forEach((draft, index) => {
      const goesOn = level === 1 || index === ordered.length - 1;
      const at = goesOn ? column : column + 1;
      rows.push({
        id: draft.id,
        record: draft.record,
        parent: draft.parent,
        hasChildren: draft.children.length > 0,
        level,
        position: index + 1,
        siblings: ordered.length,
        column: at,
      });
      if (!collapsed.has(draft.id)) walk(draft.children, level + 1, at);
    });
  };
  walk(roots, 1, 0);
  return rows;
}

function rank(draft: Draft): number {
  return draft.leadsHere ? 1 : 0;
}

function settle(draft: Draft): void {
  for (const child of draft.children) {
    settle(child);
    draft.leadsHere ||= child.leadsHere;
    draft.newest = Math.max(draft.newest, child.newest);
  }
}

function isBelow(draft: Draft, of: Draft, drafts: ReadonlyMap<string, Draft>): boolean {
  const seen = new Set<string>();
  let at: Draft | undefined = draft;
  while (at !== undefined && !seen.has(at.id)) {
    if (at === of) return true;
    seen.add(at.id);
    at = at.parent === undefined ? undefined : drafts.get(at.parent);
  }
  return at !== undefined;
}

/**
 * Bytes that a snapshot has in common with earlier ones, at most: what those stored whose files it
 * still reads.
 */
export function sharedBytes(list: readonly SnapshotRecord[], record: SnapshotRecord): number {
  const packs = new Set(record.packs);
  return list
    .filter(({ id, time }) => id !== record.id && time <= record.time)
    .filter((other) => other.packs.some((pack) => packs.has(pack)))
    .reduce((sum, { bytes }) => sum + bytes, 0);
}

/** What goes on from a snapshot: other snapshots, which become its parent's. */
export function childrenOf(list: readonly SnapshotRecord[], id: string): SnapshotRecord[] {
  return list.filter(({ parent }) => parent === id);
}
