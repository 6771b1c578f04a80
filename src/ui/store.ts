/**
 * What the page itself remembers: open consoles, the dialog that is up, the theme, the templates.
 * VMs are the fleet's; which console is shown is the address's (`#/vm/ID`).
 */
import { create } from 'zustand';
import type { Template } from '../machine/manifest.ts';
import { readList, type Sort } from './list-filter.ts';

export type Theme = 'system' | 'light' | 'dark';

/** Dialogs of snapshots and backups: a script of their own. */
export type StorageDialog =
  | { kind: 'snapshot'; vm: string }
  | { kind: 'restore'; vm: string; snapshot: string }
  /** `from`: id of a snapshot, or of a VM that runs; empty: it is asked for. */
  | { kind: 'clone'; from: string }
  | { kind: 'editSnapshot'; snapshot: string }
  | { kind: 'removeSnapshot'; snapshot: string }
  | { kind: 'backups'; vm: string };

export type Dialog =
  | StorageDialog
  /** `disk`: one of storage that the VM gets. */
  | { kind: 'new'; template?: string; disk?: string }
  | { kind: 'confirm'; action: 'reset' | 'powerOff' | 'delete'; vm: string }
  /** Machines that make way for others when the person says so. */
  | { kind: 'replace'; names: readonly string[]; go: () => void }
  | { kind: 'palette' }
  | { kind: 'shortcuts' }
  | { kind: 'send'; vm: string };

export type Catalogue =
  | { kind: 'loading' }
  | { kind: 'ready'; templates: readonly Template[] }
  | { kind: 'failed'; reason: string };

/** Machines of one kind that are about to be started. */
export interface StartedMachines {
  readonly template: Template;
  /** Bytes of each; the template's default when left out. */
  readonly memory?: number | undefined;
  readonly count: number;
}

/** A start, which is judged before it happens. */
export interface StartRequest {
  readonly machines: readonly StartedMachines[];
  /** Starts them; called at once when they fit, or when the person says so. */
  readonly go: () => void;
}

interface UiState {
  catalogue: Catalogue;
  /** Ids of VMs whose consoles have a tab, in order. */
  consoles: readonly string[];
  dialog: Dialog | undefined;
  /** Starts that are yet to be judged, or asked about, one after the other. */
  startRequests: readonly StartRequest[];
  theme: Theme;
  screenReader: boolean;
  /** What the address asked for and could not get. */
  bootProblems: readonly string[];
  finding: boolean;
  /** VMs that ran before a reload have been started again, without what they held. */
  startedAgain: boolean;
  /** The log of tasks is unfolded. */
  tasksOpen: boolean;
  /** What the list of machines shows, and in which order: the address's (`filter`, `sort`). */
  filter: string;
  sort: Sort;
  /** Ids of machines that have had nothing to do for a while. */
  idle: readonly string[];
  /** An action for many is under way: rows stay where they are. */
  bulkBusy: boolean;
}

export const useUi = create<UiState>(() => ({
  catalogue: { kind: 'loading' },
  consoles: [],
  dialog: undefined,
  startRequests: [],
  theme: storedTheme(),
  screenReader: stored('screenReader') === 'on',
  bootProblems: [],
  finding: false,
  startedAgain: false,
  tasksOpen: false,
  ...readList(location.search),
  idle: [],
  bulkBusy: false,
}));

export const setUi = useUi.setState;
export const getUi = useUi.getState;

export function setTheme(theme: Theme): void {
  setUi({ theme });
  store('theme', theme);
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export function setScreenReader(on: boolean): void {
  setUi({ screenReader: on });
  store('screenReader', on ? 'on' : 'off');
}

export function addConsole(id: string): void {
  setUi(({ consoles }) => ({ consoles: consoles.includes(id) ? consoles : [...consoles, id] }));
}

export function closeDialog(): void {
  setUi({ dialog: undefined });
}

function storedTheme(): Theme {
  const theme = stored('theme');
  return theme === 'light' || theme === 'dark' ? theme : 'system';
}

function stored(name: string): string | null {
  try {
    return localStorage.getItem(`tabvisor.${name}`);
  } catch {
    return null;
  }
}

function store(name: string, value: string): void {
  try {
    localStorage.setItem(`tabvisor.${name}`, value);
  } catch {
    // Storage is blocked: the choice lasts as long as the page.
  }
}
