/**
 * Files that are dropped on a VM's terminal go into its shared folder, one after the other; the console
 * says which arrived and which did not. The page itself never opens a dropped file.
 */
import type { Vm } from '../../hypervisor/vm.ts';

/** Returns what ends it. */
export function acceptDrops(element: HTMLElement, vm: Vm): () => void {
  const over = (event: DragEvent) => {
    if (event.dataTransfer?.types.includes('Files')) event.preventDefault();
  };
  const drop = (event: DragEvent) => {
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    void putAll(files, vm);
  };
  element.addEventListener('dragover', over);
  element.addEventListener('drop', drop);
  return () => {
    element.removeEventListener('dragover', over);
    element.removeEventListener('drop', drop);
  };
}

async function putAll(files: readonly File[], vm: Vm): Promise<void> {
  for (const file of files) {
    try {
      await vm.shared.put(file.name, file);
      vm.console.note(`${file.name} is in /mnt/shared`);
    } catch (error) {
      vm.console.note(error instanceof Error ? error.message : String(error));
    }
  }
}
