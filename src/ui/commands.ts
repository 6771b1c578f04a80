/**
 * Every action of the page, once: menus, toolbars, the palette, the list of shortcuts and the keys
 * themselves are made from this list. A command says when it makes sense and what it does.
 */
import { isLive, isPending, type VmView } from '../hypervisor/vm.ts';
import { whenAdmitted } from './admission.ts';
import {
  closeConsole,
  openConsole,
  openPage,
  openView,
  place,
  selectedId,
  showList,
} from './navigation.ts';
import { download } from './parts/download.ts';
import type { IconName } from './parts/icon.tsx';
import { fleet, terminals } from './services.ts';
import { getUi, setScreenReader, setTheme, setUi } from './store.ts';
import { PAGE_VIEWS, VM_VIEWS } from './view-list.ts';

export interface Command {
  id: string;
  title: string;
  icon: IconName;
  /** `page` commands need no VM; the others act on one. `view` ones show it from another side. */
  group: 'page' | 'machine' | 'storage' | 'console' | 'view';
  /** As shown; `keys` is what is matched. */
  shortcut?: string;
  keys?: (event: KeyboardEvent) => boolean;
  /** Works while the keyboard is the guest's, too. */
  inConsole?: boolean;
  danger?: boolean;
  available: (vm: VmView | undefined) => boolean;
  run: (vm: VmView | undefined) => void;
}

const plain = (key: string) => (event: KeyboardEvent) =>
  event.key.toLowerCase() === key && !event.ctrlKey && !event.metaKey && !event.altKey;
const controlShift = (key: string) => (event: KeyboardEvent) =>
  event.key.toLowerCase() === key && event.ctrlKey && event.shiftKey && !event.altKey;

/** Asks first when the VM holds something that would be lost. */
function confirmed(vm: VmView, action: 'reset' | 'powerOff' | 'delete'): void {
  const loses = isPending(vm.status) || vm.keptId !== undefined;
  if (isLive(vm.status) || (action === 'delete' && loses)) {
    setUi({ dialog: { kind: 'confirm', action, vm: vm.id } });
  } else perform(vm.id, action);
}

export function perform(id: string, action: 'reset' | 'powerOff' | 'delete'): void {
  if (action === 'reset') void fleet.get(id)?.reset();
  else if (action === 'powerOff') void fleet.get(id)?.powerOff();
  else {
    closeConsole(id);
    fleet.delete(id);
  }
}

/** Starts a VM; asks first when the host does not carry it. */
export function startAdmitted({ id, memory, template }: VmView): void {
  whenAdmitted({
    machines: [{ template, memory, count: 1 }],
    go: () => void fleet.get(id)?.start(),
  });
}

function consoleShown(vm: VmView): boolean {
  return place().vm === vm.id && !VM_VIEWS.some(({ path }) => path === place().view);
}

/** A script of its own, fetched when it is first needed. */
const storageActions = () => import('./storage/actions.ts');
const labs = () => import('./labs.ts');

const always = () => true;
const anyVm = (vm: VmView | undefined) => vm !== undefined;

export const COMMANDS: readonly Command[] = [
  {
    id: 'new',
    title: 'New VM…',
    icon: 'plus',
    group: 'page',
    shortcut: 'N',
    keys: plain('n'),
    available: always,
    run: () => setUi({ dialog: { kind: 'new' } }),
  },
  {
    id: 'palette',
    title: 'Find a command…',
    icon: 'search',
    group: 'page',
    shortcut: 'Ctrl+Shift+P',
    keys: (event) =>
      controlShift('p')(event) ||
      (event.key.toLowerCase() === 'k' && (event.ctrlKey || event.metaKey) && !inTerminal(event)),
    inConsole: true,
    available: always,
    run: () => setUi({ dialog: { kind: 'palette' } }),
  },
  {
    id: 'shortcuts',
    title: 'Keyboard shortcuts',
    icon: 'keyboard',
    group: 'page',
    shortcut: '?',
    keys: plain('?'),
    available: always,
    run: () => setUi({ dialog: { kind: 'shortcuts' } }),
  },
  {
    id: 'list',
    title: 'Go to the list of machines',
    icon: 'list',
    group: 'page',
    shortcut: 'G',
    keys: plain('g'),
    available: () => fleet.store.getState().vms.length > 0,
    run: () => {
      if (matchMedia('(max-width: 760px)').matches) showList();
      requestAnimationFrame(() =>
        document.querySelector<HTMLElement>('.machine-list [role="row"]')?.focus(),
      );
    },
  },
  ...(['system', 'light', 'dark'] as const).map(
    (theme): Command => ({
      id: `theme-${theme}`,
      title: { system: 'Theme: as the system', light: 'Theme: light', dark: 'Theme: dark' }[theme],
      icon: theme === 'light' ? 'sun' : theme === 'dark' ? 'moon' : 'contrast',
      group: 'page',
      available: () => getUi().theme !== theme,
      run: () => setTheme(theme),
    }),
  ),
  ...PAGE_VIEWS.map(
    ({ path, title, icon }): Command => ({
      id: `page-${path}`,
      title: `Go to ${title}`,
      icon,
      group: 'page',
      available: () => place().vm !== undefined || place().view !== path,
      run: () => openPage(path),
    }),
  ),
  ...VM_VIEWS.map(
    ({ path, title, icon }): Command => ({
      id: `view-${path}`,
      title: `Show ${title}`,
      icon,
      group: 'view',
      available: (vm) => vm !== undefined && (vm.id !== place().vm || place().view !== path),
      run: (vm) => vm && openView(vm.id, path),
    }),
  ),
  {
    id: 'tasks',
    title: 'Tasks: show or hide',
    icon: 'clock',
    group: 'page',
    shortcut: 'J',
    keys: plain('j'),
    available: () => fleet.tasks.store.getState().tasks.length > 0,
    run: () => setUi(({ tasksOpen }) => ({ tasksOpen: !tasksOpen })),
  },
  {
    id: 'screen-reader',
    title: 'Screen reader support in consoles: on or off',
    icon: 'eye',
    group: 'page',
    available: always,
    run: () => setScreenReader(!getUi().screenReader),
  },
  {
    id: 'open',
    title: 'Open console',
    icon: 'terminal',
    group: 'machine',
    shortcut: 'Enter',
    available: (vm) => vm !== undefined && !consoleShown(vm),
    run: (vm) => vm && openConsole(vm.id),
  },
  {
    id: 'start',
    title: 'Start',
    icon: 'play',
    group: 'machine',
    shortcut: 'S',
    keys: plain('s'),
    available: (vm) => vm !== undefined && !isLive(vm.status) && !isPending(vm.status),
    run: (vm) => vm && startAdmitted(vm),
  },
  {
    id: 'pause',
    title: 'Pause',
    icon: 'pause',
    group: 'machine',
    shortcut: 'P',
    keys: plain('p'),
    available: (vm) => vm?.status === 'running' || vm?.status === 'booting',
    run: (vm) => vm && void fleet.get(vm.id)?.pause(),
  },
  {
    id: 'resume',
    title: 'Resume',
    icon: 'play',
    group: 'machine',
    shortcut: 'P',
    keys: plain('p'),
    available: (vm) => vm?.status === 'paused',
    run: (vm) => vm && void fleet.get(vm.id)?.resume(),
  },
  {
    id: 'reset',
    title: 'Reset',
    icon: 'reset',
    group: 'machine',
    shortcut: 'R',
    keys: plain('r'),
    available: (vm) => vm !== undefined && isLive(vm.status),
    run: (vm) => vm && confirmed(vm, 'reset'),
  },
  {
    id: 'snapshot',
    title: 'Take a snapshot…',
    icon: 'camera',
    group: 'storage',
    shortcut: 'T',
    keys: plain('t'),
    available: (vm) => vm !== undefined && isLive(vm.status) && !vm.saving,
    run: (vm) => vm && setUi({ dialog: { kind: 'snapshot', vm: vm.id } }),
  },
  {
    id: 'clone',
    title: 'Clone as it is now…',
    icon: 'branch',
    group: 'storage',
    shortcut: 'C',
    keys: plain('c'),
    available: (vm) => vm !== undefined && isLive(vm.status) && !vm.saving,
    run: (vm) => vm && setUi({ dialog: { kind: 'clone', from: vm.id } }),
  },
  {
    id: 'export',
    title: 'Export as a .tabvm file…',
    icon: 'download',
    group: 'storage',
    available: (vm) => vm !== undefined && isLive(vm.status) && !vm.saving,
    run: (vm) => vm && void storageActions().then(({ exportVm }) => exportVm(vm.id, vm.name)),
  },
  {
    id: 'backups',
    title: 'Backups…',
    icon: 'clock',
    group: 'storage',
    available: anyVm,
    run: (vm) => vm && setUi({ dialog: { kind: 'backups', vm: vm.id } }),
  },
  {
    id: 'import',
    title: 'Import a .tabvm file…',
    icon: 'upload',
    group: 'page',
    shortcut: 'I',
    keys: plain('i'),
    available: always,
    run: () => void storageActions().then(({ chooseImport }) => chooseImport()),
  },
  {
    id: 'open-lab',
    title: 'Open a lab file…',
    icon: 'upload',
    group: 'page',
    available: always,
    run: () => void labs().then(({ chooseLab }) => chooseLab()),
  },
  {
    id: 'replace-by-lab',
    title: 'Replace machines by those of a lab file…',
    icon: 'upload',
    group: 'page',
    available: () => fleet.store.getState().vms.length > 0,
    run: () => void labs().then(({ chooseReplacement }) => chooseReplacement()),
  },
  {
    id: 'export-lab',
    title: 'Export all machines as a lab file',
    icon: 'download',
    group: 'page',
    available: () => fleet.store.getState().vms.length > 0,
    run: () => void labs().then(({ exportLab }) => exportLab()),
  },
  {
    id: 'power-off',
    title: 'Power off',
    icon: 'power',
    group: 'machine',
    shortcut: 'O',
    keys: plain('o'),
    available: (vm) => vm !== undefined && (isLive(vm.status) || isPending(vm.status)),
    run: (vm) => vm && confirmed(vm, 'powerOff'),
  },
  {
    id: 'delete',
    title: 'Delete',
    icon: 'trash',
    group: 'machine',
    shortcut: 'Delete',
    keys: plain('delete'),
    danger: true,
    available: anyVm,
    run: (vm) => vm && confirmed(vm, 'delete'),
  },
  {
    id: 'leave',
    title: 'Move between console and page',
    icon: 'swap',
    group: 'console',
    shortcut: 'F6',
    keys: (event) => event.key === 'F6',
    inConsole: true,
    available: (vm) => vm !== undefined && vm.id === selectedId(),
    run: (vm) => vm && swapFocus(vm.id),
  },
  {
    id: 'find',
    title: 'Find in console',
    icon: 'search',
    group: 'console',
    shortcut: 'Ctrl+Shift+F',
    keys: controlShift('f'),
    inConsole: true,
    available: (vm) => vm !== undefined && consoleShown(vm),
    run: () => setUi(({ finding }) => ({ finding: !finding })),
  },
  {
    id: 'send',
    title: 'Send text…',
    icon: 'send',
    group: 'console',
    available: (vm) => vm !== undefined && isLive(vm.status),
    run: (vm) => vm && setUi({ dialog: { kind: 'send', vm: vm.id } }),
  },
  {
    id: 'send-f6',
    title: 'Send F6 to the guest',
    icon: 'send',
    group: 'console',
    available: (vm) => vm !== undefined && isLive(vm.status),
    run: (vm) => vm && fleet.get(vm.id)?.input(new TextEncoder().encode('\x1b[17~')),
  },
  {
    id: 'copy',
    title: 'Copy the whole console',
    icon: 'copy',
    group: 'console',
    available: anyVm,
    run: (vm) =>
      vm &&
      void terminals
        .get(vm.id)
        .then((terminal) => navigator.clipboard.writeText(terminal.text()))
        .catch(() => {}),
  },
  {
    id: 'save',
    title: 'Save the console as a file',
    icon: 'download',
    group: 'console',
    available: anyVm,
    run: (vm) => vm && void saveConsole(vm, 'plain'),
  },
  {
    id: 'save-colours',
    title: 'Save the console with its colours',
    icon: 'download',
    group: 'console',
    available: anyVm,
    run: (vm) => vm && void saveConsole(vm, 'colours'),
  },
  {
    id: 'clear',
    title: 'Clear the console',
    icon: 'eraser',
    group: 'console',
    available: anyVm,
    run: (vm) => vm && void terminals.get(vm.id).then(({ terminal }) => terminal.clear()),
  },
  {
    id: 'close',
    title: 'Close the console’s tab',
    icon: 'close',
    group: 'console',
    available: (vm) => vm !== undefined && getUi().consoles.includes(vm.id),
    run: (vm) => vm && closeConsole(vm.id),
  },
];

export function commandById(id: string): Command {
  const command = COMMANDS.find((candidate) => candidate.id === id);
  if (command === undefined) throw new Error(`There is no command “${id}”.`);
  return command;
}

export function inTerminal(event: { target: EventTarget | null }): boolean {
  return event.target instanceof Element && event.target.closest('.terminal-host') !== null;
}

/** From the console to its tab, from anywhere else into the console. */
function swapFocus(id: string): void {
  if (document.activeElement?.closest('.terminal-host')) {
    document
      .querySelector<HTMLElement>('.console-tabs [role="tab"][aria-selected="true"]')
      ?.focus();
  } else if (place().view !== undefined) openConsole(id);
  else void terminals.get(id).then((terminal) => terminal.focus());
}

/** Colours are escape sequences: `cat` of the file in any terminal shows them. */
async function saveConsole(vm: VmView, how: 'plain' | 'colours'): Promise<void> {
  const terminal = await terminals.get(vm.id);
  const text = how === 'plain' ? terminal.text() : terminal.serialize();
  const name = `${vm.name}.${how === 'plain' ? 'log' : 'ans'}`;
  download(name, new Blob([text], { type: 'text/plain' }));
}
