/**
 * What a VM starts from: the snapshot of its template where there is one that fits, else the images
 * of a cold boot. Relies on the image store; guarantees that a snapshot that cannot be had is no
 * failure as long as the images can.
 */
import { newId } from '../storage/id.ts';
import type { BootConfig, TemplateStart } from '../worker/protocol.ts';
import { copyOf } from './copy-image.ts';
import {
  snapshotFor,
  type TemplateSources,
  type WantedDisk,
  type WantedStart,
} from './expect-boot.ts';
import { hostName, withHostName } from './host-name.ts';
import type { ImageStore, Progress } from './images.ts';
import type { Library } from './snapshots/library.ts';
import type { KeptVm } from './snapshots/types.ts';
import type { Storage } from './storage/client.ts';
import type { ServedTemplate } from './template-service.ts';
import type { TemplateSnapshot } from './template-snapshots.ts';
import type { VmSpecification } from './vm-view.ts';

/** How long after the prompt the images of a cold boot are fetched too, in milliseconds. */
const IMAGES_AFTER_MS = 5000;

/** What a VM starts from: its template, or what it boots instead. */
export interface Wanted extends WantedStart {
  readonly name: string;
  readonly program?: KeptVm['program'];
}

export interface BootSource {
  /** Bytes of RAM. */
  readonly memory: number;
  /** The kernel's command line. */
  readonly append: string;
  readonly config: Pick<BootConfig, 'kernel' | 'initrd' | 'template'>;
  /** To be called when the guest can be used: fetches what a reset, or a visit offline, will need. */
  readonly usable?: () => void;
}

export interface Sources extends TemplateSources {
  readonly storage: Storage;
  library(): Promise<Library>;
}

/** RAM of a VM that says nothing about it and has no template, in bytes. */
const MEMORY = 128 << 20;

/**
 * Makes the root disk of a VM whose template has one: an image, over which the VM writes. It is the
 * disk as it was in the template's snapshot, and a cold boot takes it as after a power cut.
 */
export async function giveRoot(images: ImageStore, vm: VmSpecification): Promise<void> {
  if (vm.root === undefined) return;
  const { snapshot, disk } = await images.manifest(vm.template);
  const file = snapshot?.disk ?? disk;
  // Somebody else may have been quicker.
  if (vm.root === undefined) return;
  const kind = vm.root;
  vm.root = undefined;
  if (file === undefined) return;
  const image = new URL(file.file, images.manifestUrl(vm.template)).href;
  vm.disks = [{ id: newId(), kind, image }, ...(vm.disks ?? [])];
}

/** Whether the root disk is still the image's: what a VM has written to it no snapshot knows. */
async function isUntouched(storage: Storage, [root]: readonly WantedDisk[] = []): Promise<boolean> {
  if (root?.kind !== 'persistent') return true;
  return !(await (await storage.api()).disks()).some(({ id }) => id === root.id);
}

/** Loads what a VM starts from. `violation`: its worker broke the rules. */
export async function bootSource(
  sources: Sources,
  wanted: Wanted,
  progress: Progress,
  violation: (what: string) => void,
): Promise<BootSource> {
  const { images } = sources;
  const { program } = wanted;
  if (program !== undefined) {
    const { kernel, initrd } = await (await sources.library()).program(program);
    const memory = wanted.memory ?? MEMORY;
    const config = { kernel, ...(initrd === undefined ? {} : { initrd }) };
    return { memory, append: program.append, config };
  }
  const manifest = await images.manifest(wanted.template);
  const memory = wanted.memory ?? manifest.memory.default;
  const append = withHostName(manifest.append, wanted.name, manifest.name);
  const untouched = await isUntouched(sources.storage, wanted.disks);
  const snapshot = untouched ? await snapshotFor(sources, wanted, manifest) : undefined;
  if (snapshot !== undefined) {
    const template = await templateStart(sources, wanted, snapshot, violation);
    const usable = () => {
      setTimeout(
        () => void images.load(wanted.template, () => {}).catch(() => {}),
        IMAGES_AFTER_MS,
      );
    };
    return { memory, append, config: { template }, usable };
  }
  const { kernel, initrd } = await images.load(wanted.template, progress);
  return {
    memory,
    append,
    config: { kernel: copyOf(kernel), ...(initrd === undefined ? {} : { initrd: copyOf(initrd) }) },
  };
}

/**
 * What a VM that goes on from a snapshot of storage has besides: its images for a reset, on a port, when
 * they are asked for.
 */
export async function resetSource(
  sources: Sources,
  wanted: Wanted,
  violation: (what: string) => void,
): Promise<{ append: string; images: MessagePort }> {
  const { program, template, name } = wanted;
  const { port1, port2 } = new MessageChannel();
  const images: ServedTemplate['images'] =
    program === undefined
      ? () => sources.images.load(template, () => {})
      : async () => (await sources.library()).program(program);
  const piece = () => Promise.reject(new Error('There are no pieces of this VM.'));
  const { serveTemplate } = await import('./template-service.ts');
  serveTemplate(port1, { piece, images }, violation);
  if (program !== undefined) return { append: program.append, images: port2 };
  const manifest = await sources.images.manifest(template);
  return { append: withHostName(manifest.append, name, manifest.name), images: port2 };
}

async function templateStart(
  { images }: Sources,
  { template, name }: Wanted,
  snapshot: TemplateSnapshot,
  violation: (what: string) => void,
): Promise<TemplateStart> {
  const { serveTemplate } = await import('./template-service.ts');
  const { port1, port2 } = new MessageChannel();
  serveTemplate(
    port1,
    {
      piece: (number) => snapshot.piece(number),
      images: () => images.load(template, () => {}),
    },
    violation,
  );
  return {
    index: copyOf(snapshot.packedIndex),
    state: copyOf(snapshot.state),
    port: port2,
    hostName: hostName(name) || template.name,
  };
}
