/**
 * What the page does with storage, each as a task: it shows progress, can be aborted, and ends with a
 * sentence. Nothing here rejects.
 */
import type { Vm } from '../../hypervisor/vm.ts';
import type { SnapshotRecord } from '../../storage/snapshots/record.ts';
import { formatBytes } from '../format.ts';
import { openConsole } from '../navigation.ts';
import { fleet } from '../services.ts';
import { addConsole, setUi } from '../store.ts';
import { chooseDestination, chooseFiles } from './save-file.ts';

const FREE_SOME = 'If the storage is full, remove something under Storage and try again.';

/** A pause as a person feels it. */
export function formatPause(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

/** Resolves with the id of the snapshot. */
export function takeSnapshot(vm: Vm, name: string, note: string): Promise<string | undefined> {
  const title = `Snapshot “${name}” of ${vm.view.name}`;
  return fleet.tasks.run(title, { vm: vm.view.id, next: FREE_SOME }, async (task) => {
    const { id, pause_ms, total_ms, bytes } = await vm.takeSnapshot({
      name,
      note,
      progress: (done, total) => task.progress(done, total),
      signal: task.signal,
    });
    task.says(
      `The guest stood still for ${formatPause(pause_ms)}; ${formatBytes(bytes)} stored in ${(total_ms / 1000).toFixed(1)} s.`,
    );
    return id;
  });
}

export function restoreSnapshot(vm: Vm, record: SnapshotRecord, first: boolean): Promise<unknown> {
  const title = `Restore “${record.name}” in ${vm.view.name}`;
  return fleet.tasks.run(title, { vm: vm.view.id }, async (task) => {
    const begun = performance.now();
    await vm.restore(record.id, first ? { first: 'snapshot' } : {});
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    task.says(`${vm.view.name} is where it was then, after ${seconds} s.`);
  });
}

export function cloneVms(from: string, title: string, names: readonly string[], start: boolean) {
  return fleet.tasks.run(title, { next: FREE_SOME }, async (task) => {
    const ids = await fleet.clone({ from, names, start });
    for (const id of ids) addConsole(id);
    const [first] = ids;
    if (first !== undefined) openConsole(first);
    const made = ids.flatMap((id) => fleet.get(id)?.view.name ?? []).join(', ');
    task.says(`Made ${made}.`);
  });
}

export function renameSnapshot(record: SnapshotRecord, name: string, note: string) {
  return fleet.tasks.run(`Rename the snapshot “${record.name}”`, {}, async (task) => {
    await fleet.renameSnapshot(record.id, name, note);
    task.says(`It is called “${name}”.`);
  });
}

export function removeSnapshots(records: readonly SnapshotRecord[], title: string) {
  return fleet.tasks.run(title, {}, async (task) => {
    let done = 0;
    for (const { id } of records) {
      task.signal.throwIfAborted();
      await fleet.removeSnapshot(id);
      task.progress(++done, records.length, 'items');
    }
    task.says(done === 1 ? 'It is removed.' : `${done} are removed.`);
  });
}

export function verifySnapshot(record: SnapshotRecord) {
  return fleet.tasks.run(
    `Check the snapshot “${record.name}”`,
    { next: 'Restore an older one, or take another.' },
    async (task) => {
      await fleet.verifySnapshot(record.id, {
        progress: (done, total) => task.progress(done, total),
        signal: task.signal,
      });
      task.says('All of it is there and undamaged.');
    },
  );
}

/** `from`: a snapshot, or a VM that runs. Asks first where the file goes. */
export async function exportVm(from: string, name: string): Promise<void> {
  const file = `${fileName(name)}.tabvm`;
  const destination = await chooseDestination(file);
  if (destination === undefined) return;
  await fleet.tasks.run(`Export ${name}`, { next: FREE_SOME }, async (task) => {
    let written = 0;
    const { stream } = await fleet.exportVm(from, {
      progress: (done, total) => {
        written = total;
        task.progress(done, total);
      },
      signal: task.signal,
    });
    await destination.write(stream, task.signal);
    task.says(`${file} is written${written > 0 ? `, ${formatBytes(written)} of state` : ''}.`);
  });
}

export async function chooseImport(): Promise<void> {
  await importFiles(await chooseFiles('.tabvm', true));
}

export async function importFiles(files: readonly File[]): Promise<void> {
  for (const file of files) {
    const id = await fleet.tasks.run(
      `Import ${file.name}`,
      { next: 'Nothing of it was kept.' },
      async (task) => {
        const id = await fleet.importVm(file, {
          progress: (done, total) => task.progress(done, total),
          signal: task.signal,
        });
        const { name = '' } = fleet.get(id)?.view ?? {};
        task.says(`${name} is in the list: a start goes on from where it was.`);
        return id;
      },
    );
    if (id !== undefined) openConsole(id);
    else setUi({ tasksOpen: true });
  }
}

export async function exportDisk(id: string, name: string): Promise<void> {
  const file = `${fileName(name)}.img`;
  const destination = await chooseDestination(file);
  if (destination === undefined) return;
  await fleet.tasks.run(`Export the disk ${name}`, {}, async (task) => {
    const { stream, size } = await fleet.exportDisk(id, {
      progress: (done, total) => task.progress(done, total),
      signal: task.signal,
    });
    await destination.write(stream, task.signal);
    task.says(`${file} is written${size === undefined ? '' : `, ${formatBytes(size)}`}.`);
  });
}

/** Resolves with the ids of the disks. */
export async function importDisks(): Promise<void> {
  for (const file of await chooseFiles('.img,.raw,.iso', true)) {
    await fleet.tasks.run(`Import the disk ${file.name}`, { next: FREE_SOME }, async (task) => {
      await fleet.importDisk(file, {
        progress: (done, total) => task.progress(done, total),
        signal: task.signal,
      });
      task.says(`It is a disk of ${formatBytes(file.size)} that a new VM can have.`);
    });
  }
}

function fileName(name: string): string {
  return name.replace(/[^\p{L}\p{N}._-]+/gu, '-').slice(0, 60) || 'vm';
}
