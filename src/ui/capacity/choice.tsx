/** A choice of a few: the browser's own, which works with every keyboard, reader and phone. */
import type { ReactNode } from 'react';

export function Choice(props: {
  /** Where no label stands beside it. */
  label?: string;
  id?: string;
  value: string;
  onChange: (value: string) => void;
  children: ReactNode;
}) {
  return (
    <select
      className="input choice"
      id={props.id}
      aria-label={props.label}
      value={props.value}
      onChange={(event) => props.onChange(event.target.value)}
    >
      {props.children}
    </select>
  );
}
