/** Where the page is: `#/` is the list, `#/vm/ID` a console. Consoles get their tab on the way. */
import { navigate, useHashLocation } from 'wouter/use-hash-location';
import { addConsole, getUi, setUi } from './store.ts';

function idOf(path: string): string | undefined {
  return /^\/vm\/([^/]+)$/.exec(path)?.[1];
}

export function useSelectedId(): string | undefined {
  const [path] = useHashLocation();
  return idOf(path);
}

export function selectedId(): string | undefined {
  return idOf(location.hash.replace(/^#/, ''));
}

export function openConsole(id: string): void {
  addConsole(id);
  setUi({ finding: false });
  navigate(`/vm/${id}`);
}

export function showList(): void {
  navigate('/');
}

/** Closes a console's tab; its VM and its scrollback stay. */
export function closeConsole(id: string): void {
  const { consoles } = getUi();
  const index = consoles.indexOf(id);
  const rest = consoles.filter((other) => other !== id);
  setUi({ consoles: rest });
  if (selectedId() !== id) return;
  const next = rest[Math.min(index, rest.length - 1)];
  if (next === undefined) showList();
  else openConsole(next);
}
