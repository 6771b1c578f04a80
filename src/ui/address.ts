/**
 * The address describes what is on the page: which VMs there are (the query, which boots them
 * again) and which console is shown (the hash). Which consoles are open is kept for this tab, by
 * the VMs' names. So a reload comes back with the same VMs and layout; what the VMs held in memory
 * is gone, and the page says so.
 */
import * as v from 'valibot';
import { describeList } from './list-filter.ts';
import { openView, place, selectedId } from './navigation.ts';
import { fleet } from './services.ts';
import { addConsole, getUi, useUi } from './store.ts';

const KEY = 'tabvisor.layout';

const LayoutSchema = v.object({
  /** The query that this layout belongs to. */
  search: v.string(),
  consoles: v.array(v.string()),
  shown: v.optional(v.string()),
  /** Something ran. */
  live: v.boolean(),
});
export type Layout = v.InferOutput<typeof LayoutSchema>;

/** What this tab showed for the same address before it was loaded anew. */
export function formerLayout(): Layout | undefined {
  try {
    const layout = v.parse(LayoutSchema, JSON.parse(sessionStorage.getItem(KEY) ?? 'null'));
    return layout.search === location.search ? layout : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Shows what was shown before a reload, of VMs that storage has: the page calls them otherwise now. What
 * the person has gone to meanwhile stays.
 */
export function reopen(layout: Layout | undefined): void {
  const idOf = (name: string | undefined) =>
    fleet.all.find(({ view }) => view.keptId !== undefined && view.name === name)?.view.id;
  for (const name of layout?.consoles ?? []) {
    const id = idOf(name);
    if (id !== undefined) addConsole(id);
  }
  const { vm, view } = place();
  const shown = idOf(layout?.shown);
  if (vm !== undefined && fleet.get(vm) === undefined && shown !== undefined) openView(shown, view);
  else if (vm !== undefined && fleet.get(vm) !== undefined) addConsole(vm);
}

/** Keeps address and layout from the first VM on; an address that boots nothing stays as it is. */
export function keepAddress(): void {
  let kept = '';
  const keep = () => {
    // While a bad address is explained it must be there to be read and mended.
    if (getUi().bootProblems.length > 0) return;
    const search = describeList(fleet.describe(location.search), getUi());
    if (search !== location.search) {
      history.replaceState(history.state, '', `${location.pathname}${search}${location.hash}`);
    }
    const name = (id: string | undefined) =>
      id === undefined ? undefined : fleet.get(id)?.view.name;
    const layout: Layout = {
      search: location.search,
      consoles: getUi().consoles.flatMap((id) => name(id) ?? []),
      shown: name(selectedId()),
      live: fleet.losesWork,
    };
    const text = JSON.stringify(layout);
    if (text === kept) return;
    kept = text;
    try {
      sessionStorage.setItem(KEY, text);
    } catch {
      // Storage is blocked: a reload opens all consoles.
    }
  };
  fleet.store.subscribe(keep);
  useUi.subscribe((now, before) => {
    const changed =
      now.consoles !== before.consoles || now.filter !== before.filter || now.sort !== before.sort;
    if (changed && kept !== '') keep();
  });
  globalThis.addEventListener('hashchange', () => {
    if (kept !== '') keep();
  });
}
