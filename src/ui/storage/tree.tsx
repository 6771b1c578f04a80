/**
 * A tree by the ARIA pattern: one row has the focus and the selection, arrows move it, right and left
 * unfold and fold or go to child and parent, Home and End go to the ends. What a row shows is the
 * caller's.
 */
import { type KeyboardEvent, type ReactNode, useEffect, useRef } from 'react';

export interface TreeRow {
  readonly id: string;
  readonly parent: string | undefined;
  readonly level: number;
  readonly position: number;
  readonly siblings: number;
  readonly hasChildren: boolean;
}

interface TreeProps<Row extends TreeRow> {
  label: string;
  rows: readonly Row[];
  selected: string;
  collapsed: ReadonlySet<string>;
  onSelect: (id: string) => void;
  onCollapse: (id: string, collapse: boolean) => void;
  /** Keys that the tree itself has no use for; true: it was used. */
  onKey: (key: string, row: Row) => boolean;
  children: (row: Row) => ReactNode;
}

export function Tree<Row extends TreeRow>(props: TreeProps<Row>) {
  const { rows, selected, collapsed } = props;
  const tree = useRef<HTMLDivElement>(null);
  const moved = useRef(false);
  const at = rows.findIndex(({ id }) => id === selected);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the focus follows the selection
  useEffect(() => {
    if (!moved.current) return;
    moved.current = false;
    tree.current?.querySelector<HTMLElement>('[aria-selected="true"]')?.focus();
  }, [selected]);

  const go = (id: string | undefined) => {
    if (id === undefined || id === selected) return;
    moved.current = true;
    props.onSelect(id);
  };
  /** Whether the key is the tree's own. */
  const move = (key: string, row: Row): boolean => {
    const open = row.hasChildren && !collapsed.has(row.id);
    switch (key) {
      case 'ArrowDown':
        go(rows[at + 1]?.id);
        return true;
      case 'ArrowUp':
        go(rows[at - 1]?.id);
        return true;
      case 'Home':
        go(rows[0]?.id);
        return true;
      case 'End':
        go(rows.at(-1)?.id);
        return true;
      case 'ArrowRight':
        if (open) go(rows[at + 1]?.id);
        else if (row.hasChildren) props.onCollapse(row.id, false);
        return true;
      case 'ArrowLeft':
        if (open) props.onCollapse(row.id, true);
        else go(row.parent);
        return true;
      default:
        return false;
    }
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const row = rows[at];
    if (row === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!move(event.key, row) && !props.onKey(event.key, row)) return;
    // Keys of the page must not act on the VM.
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div role="tree" aria-label={props.label} className="tree" ref={tree} onKeyDown={onKeyDown}>
      {rows.map((row) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the tree has the keys
        <div
          key={row.id}
          role="treeitem"
          tabIndex={row.id === selected ? 0 : -1}
          aria-level={row.level}
          aria-posinset={row.position}
          aria-setsize={row.siblings}
          aria-expanded={row.hasChildren ? !collapsed.has(row.id) : undefined}
          aria-selected={row.id === selected}
          className="tree-row"
          onClick={(event) => {
            event.currentTarget.focus();
            props.onSelect(row.id);
          }}
          onDoubleClick={() => {
            if (row.hasChildren) props.onCollapse(row.id, !collapsed.has(row.id));
          }}
        >
          {props.children(row)}
        </div>
      ))}
    </div>
  );
}
