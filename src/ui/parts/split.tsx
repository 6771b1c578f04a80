/**
 * Two panes side by side with a handle between them, by the ARIA pattern of a window splitter: dragged,
 * or moved with the arrows, Home and End. The width is the left pane's share, and is remembered.
 */
import { type KeyboardEvent, type PointerEvent, type ReactNode, useRef, useState } from 'react';

/** Percent. */
const SMALLEST = 20;
const LARGEST = 60;
const STEP = 2;

const clamp = (share: number) => Math.min(LARGEST, Math.max(SMALLEST, share));

export function Split(props: {
  label: string;
  /** Percent, when none is remembered. */
  initial: number;
  /** The name under which the width is remembered. */
  name: string;
  storage: Pick<Storage, 'getItem' | 'setItem'>;
  left: ReactNode;
  right: ReactNode;
}) {
  const { name, storage } = props;
  const panes = useRef<HTMLDivElement>(null);
  const [share, setShare] = useState(() => {
    const remembered = Number(storage.getItem(name) ?? Number.NaN);
    return Number.isFinite(remembered) ? clamp(remembered) : props.initial;
  });
  const [dragging, setDragging] = useState(false);
  const move = (wanted: number) => {
    const next = Math.round(clamp(wanted) * 10) / 10;
    setShare(next);
    storage.setItem(name, String(next));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const wanted = {
      ArrowLeft: share - STEP,
      ArrowRight: share + STEP,
      Home: SMALLEST,
      End: LARGEST,
    }[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    move(wanted);
  };
  const onPointerMove = (event: PointerEvent) => {
    const box = panes.current?.getBoundingClientRect();
    if (!dragging || box === undefined || box.width === 0) return;
    move(((event.clientX - box.left) / box.width) * 100);
  };
  return (
    <div className="panes" ref={panes} data-dragging={dragging || undefined}>
      <div className="left-pane" style={{ inlineSize: `${share}%` }}>
        {props.left}
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: a rule that can be moved is no <hr> */}
      <div
        role="separator"
        tabIndex={0}
        className="pane-handle"
        aria-label={props.label}
        aria-orientation="vertical"
        aria-valuenow={Math.round(share)}
        aria-valuemin={SMALLEST}
        aria-valuemax={LARGEST}
        data-dragging={dragging || undefined}
        onKeyDown={onKeyDown}
        onPointerDown={(event) => {
          event.preventDefault();
          event.currentTarget.setPointerCapture(event.pointerId);
          setDragging(true);
        }}
        onPointerMove={onPointerMove}
        onPointerUp={() => setDragging(false)}
        onPointerCancel={() => setDragging(false)}
        onDoubleClick={() => move(props.initial)}
      />
      <div className="right-pane">{props.right}</div>
    </div>
  );
}
