/**
 * Where the page is: `#/` is the list, `#/vm/ID` a console, `#/vm/ID/VIEW` another view of that VM,
 * `#/VIEW` a view of the page. Consoles get their tab on the way.
 */
import { navigate, useHashLocation } from 'wouter/use-hash-location';
import { addConsole, getUi, setUi } from './store.ts';

export interface Place {
  /** The VM that is shown. */
  readonly vm: string | undefined;
  /** Which of its views, or of the page's; undefined: its console, or the list. */
  readonly view: string | undefined;
}

function placeOf(path: string): Place {
  const vm = /^\/vm\/([^/]+)(?:\/([a-z]+))?$/.exec(path);
  if (vm !== null) return { vm: vm[1], view: vm[2] };
  return { vm: undefined, view: /^\/([a-z]+)$/.exec(path)?.[1] };
}

export function usePlace(): Place {
  const [path] = useHashLocation();
  return placeOf(path);
}

export function place(): Place {
  return placeOf(location.hash.replace(/^#/, ''));
}

export function useSelectedId(): string | undefined {
  return usePlace().vm;
}

export function selectedId(): string | undefined {
  return place().vm;
}

/** The address of a view of a VM: of its console, when left out. */
export function vmAddress(id: string, view?: string): string {
  return view === undefined ? `#/vm/${id}` : `#/vm/${id}/${view}`;
}

export function openConsole(id: string): void {
  openView(id);
}

export function openView(id: string, view?: string): void {
  addConsole(id);
  setUi({ finding: false });
  navigate(vmAddress(id, view).slice(1));
}

export function openPage(view: string): void {
  navigate(`/${view}`);
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
