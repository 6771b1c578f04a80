/** A table in a box of its own that scrolls, and that the keyboard reaches. */
import type { ReactNode } from 'react';

export function ScrollingTable(props: {
  label: string;
  className?: string;
  /** Takes the height that is left. */
  grows?: boolean;
  children: ReactNode;
  after?: ReactNode;
}) {
  return (
    <section
      className={`table-scroll${props.grows ? ' grows' : ''}`}
      aria-label={props.label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable
      tabIndex={0}
    >
      <table className={`table ${props.className ?? ''}`}>{props.children}</table>
      {props.after}
    </section>
  );
}
