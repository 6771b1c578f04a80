/** What can be done with the files that a VM shares, each as a task. */
import { SharedFolder } from '../../hypervisor/shares.ts';
import type { Vm } from '../../hypervisor/vm.ts';
import type { SharedFile } from '../../storage/ninep/files.ts';
import { formatBytes } from '../format.ts';
import { fleet } from '../services.ts';
import { chooseDestination, chooseFolder } from './save-file.ts';
import { type ArchiveEntry, tarStream } from './tar.ts';

/** Files that one archive holds at most: a guest can make as many as it likes. */
const FILES_MAXIMUM = 10_000;
const DEPTH_MAXIMUM = 30;

export async function putFiles(vm: Vm, path: string, files: readonly File[]): Promise<void> {
  for (const file of files) {
    const title = `Share ${file.name} with ${vm.view.name}`;
    await fleet.tasks.run(title, { vm: vm.view.id }, async (task) => {
      task.progress(0, file.size);
      await vm.shared.put(path === '' ? file.name : `${path}/${file.name}`, file, (bytes) => {
        task.signal.throwIfAborted();
        task.progress(bytes, file.size);
      });
      task.says(`It is in /mnt/shared${path === '' ? '' : `/${path}`}.`);
    });
  }
}

export async function downloadFile(vm: Vm, file: SharedFile): Promise<void> {
  const destination = await chooseDestination(file.name);
  if (destination === undefined) return;
  await fleet.tasks.run(`Download ${file.name}`, { vm: vm.view.id }, async (task) => {
    await destination.write(
      counted(vm.shared.read(file.path), (bytes) => task.progress(bytes, file.size)),
      task.signal,
    );
    task.says(`${formatBytes(file.size)} of ${vm.view.name}.`);
  });
}

/** A folder with all that is below it, as a tar archive. */
export async function downloadAll(vm: Vm, path: string): Promise<void> {
  const destination = await chooseDestination(`${vm.view.name}-shared.tar`);
  if (destination === undefined) return;
  await fleet.tasks.run(
    `Download the files of ${vm.view.name}`,
    { vm: vm.view.id },
    async (task) => {
      const entries: ArchiveEntry[] = [];
      await collect(vm, path, entries, 0);
      const total = entries.reduce((sum, { size }) => sum + size, 0);
      const skipped: string[] = [];
      const stream = tarStream(entries, (name) => skipped.push(name));
      await destination.write(
        counted(stream, (bytes) => task.progress(Math.min(bytes, total), total)),
        task.signal,
      );
      const left =
        skipped.length === 0 ? '' : ` ${skipped.length} with too long a name were left out.`;
      task.says(`${entries.length - skipped.length} files, ${formatBytes(total)}.${left}`);
    },
  );
}

async function collect(vm: Vm, path: string, entries: ArchiveEntry[], depth: number) {
  if (depth > DEPTH_MAXIMUM) throw new Error('The folders are nested too deeply for an archive.');
  for (const { kind, path: at, size, modified } of await vm.shared.list(path)) {
    if (kind === 'folder') await collect(vm, at, entries, depth + 1);
    // A link may lead anywhere.
    if (kind !== 'file') continue;
    if (entries.length >= FILES_MAXIMUM) {
      throw new Error(`There are more than ${FILES_MAXIMUM} files. Let the guest pack them (tar).`);
    }
    entries.push({ path: at, size, modified, read: () => vm.shared.read(at) });
  }
}

export async function removeShared(vm: Vm, file: SharedFile): Promise<void> {
  await fleet.tasks.run(
    `Delete ${file.name} from the shared folder`,
    { vm: vm.view.id },
    async () => {
      await vm.shared.remove(file.path);
    },
  );
}

/** Asks for a folder of this computer; the guest has it from its next start on. */
export async function shareFolder(vm: Vm, writable: boolean): Promise<void> {
  const handle = await chooseFolder(writable);
  if (handle !== undefined) vm.shared = await SharedFolder.ofHandle(handle, writable);
}

function counted(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  told: (bytes: number) => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let bytes = 0;
  return stream.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(piece, controller) {
        bytes += piece.length;
        told(bytes);
        controller.enqueue(piece);
      },
    }),
  );
}
