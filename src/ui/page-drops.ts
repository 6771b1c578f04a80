/**
 * Files that are dropped on the page, where no view takes them: a VM's file is imported, a lab is
 * brought up, anything else is told where it can go. Without this a browser would leave the page for
 * the file, and end its VMs.
 */
import { fleet } from './services.ts';
import { setUi } from './store.ts';

export function listenToDrops(): void {
  document.addEventListener('dragover', (event) => {
    if (event.dataTransfer?.types.includes('Files')) event.preventDefault();
  });
  document.addEventListener('drop', (event) => {
    if (event.defaultPrevented) return;
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    const machines = files.filter(({ name }) => name.toLowerCase().endsWith('.tabvm'));
    const labs = files.filter(({ name }) => /\.(ya?ml|json)$/i.test(name));
    const others = files.filter((file) => !machines.includes(file) && !labs.includes(file));
    if (machines.length > 0) {
      void import('./storage/actions.ts').then(({ importFiles }) => importFiles(machines));
    }
    if (labs.length > 0) {
      void import('./labs.ts').then(({ openLabFile }) => labs.map(openLabFile));
    }
    for (const { name } of others) {
      setUi({ tasksOpen: true });
      void fleet.tasks.run(`Take in ${name}`, {}, async () => {
        throw new Error(
          'Only .tabvm and lab files can be dropped here. Drop a file for a guest on its console or its Files.',
        );
      });
    }
  });
}
