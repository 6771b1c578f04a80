/**
 * The page's keyboard: one listener that runs commands. Single keys never fire while somebody
 * types: in a console, a field, or with a dialog or menu open.
 */
import type { VmView } from '../hypervisor/vm.ts';
import { COMMANDS, inTerminal } from './commands.ts';
import { selectedId } from './navigation.ts';
import { fleet } from './services.ts';
import { getUi } from './store.ts';

/** The VM that a key acts on: the row that has the focus, otherwise the console that is shown. */
function target(): VmView | undefined {
  const row = document.activeElement?.closest('[data-vm]')?.getAttribute('data-vm');
  const id = row ?? selectedId();
  return fleet.store.getState().vms.find((vm) => vm.id === id);
}

function typing(event: KeyboardEvent): boolean {
  return (
    event.target instanceof Element &&
    event.target.closest('input, textarea, select, [contenteditable], [role="menu"]') !== null
  );
}

export function listenToKeys(): void {
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || getUi().dialog !== undefined) return;
    const vm = target();
    const guest = inTerminal(event);
    for (const command of COMMANDS) {
      if (!command.keys?.(event) || !command.available(vm)) continue;
      if (guest ? command.inConsole !== true : typing(event) && command.inConsole !== true)
        continue;
      event.preventDefault();
      command.run(vm);
      return;
    }
  });
}
