/**
 * What a VM starts from: the snapshot of its template where there is one that fits, else the images
 * of a cold boot. Relies on the image store; guarantees that a snapshot that cannot be had is no
 * failure as long as the images can.
 */
import type { Manifest, Template } from '../machine/manifest.ts';
import { STATE_VERSION } from '../machine/snapshot/snapshot.ts';
import type { BootConfig, TemplateStart } from '../worker/protocol.ts';
import { hostName, withHostName } from './host-name.ts';
import type { ImageStore, Progress } from './images.ts';
import type { Library } from './snapshots/library.ts';
import type { KeptVm } from './snapshots/types.ts';
import { copyOf, type ServedTemplate, serveTemplate } from './template-service.ts';
import type { TemplateSnapshot, TemplateSnapshots } from './template-snapshots.ts';

/** When the images of a cold boot are fetched too, for a reset and for later, in milliseconds. */
const IMAGES_AFTER_MS = 5000;

/** What decides where a VM starts. */
export interface Wanted {
  readonly template: Template;
  readonly name: string;
  readonly memory?: number | undefined;
  readonly disk?: number | undefined;
  readonly disks?: readonly unknown[] | undefined;
  readonly cold?: boolean | undefined;
  /** What it boots instead of its template. */
  readonly program?: KeptVm['program'];
}

export interface BootSource {
  /** Bytes of RAM. */
  readonly memory: number;
  /** The kernel's command line. */
  readonly append: string;
  readonly config: Pick<BootConfig, 'kernel' | 'initrd' | 'template'>;
}

export interface Sources {
  readonly images: ImageStore;
  readonly starts: TemplateSnapshots;
  library(): Promise<Library>;
}

/** RAM of a VM that says nothing about it and has no template, in bytes. */
const MEMORY = 128 << 20;

/** Whether the machine that is wanted is the one that the template's snapshot was taken of. */
export function startsFromSnapshot(wanted: Omit<Wanted, 'name'>, manifest: Manifest): boolean {
  const { snapshot } = manifest;
  const memory = wanted.memory ?? manifest.memory.default;
  return (
    snapshot !== undefined &&
    wanted.cold !== true &&
    snapshot.version === STATE_VERSION &&
    snapshot.memory === memory &&
    wanted.disk === undefined &&
    (wanted.disks?.length ?? 0) === 0
  );
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
  const snapshot = await snapshotFor(sources, wanted, manifest);
  if (snapshot !== undefined) {
    const template = templateStart(sources, wanted, snapshot, violation);
    return { memory, append, config: { template } };
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
  serveTemplate(port1, { piece, images }, violation);
  if (program !== undefined) return { append: program.append, images: port2 };
  const manifest = await sources.images.manifest(template);
  return { append: withHostName(manifest.append, name, manifest.name), images: port2 };
}

/** Has what a VM will start from downloaded; resolves when the first of it comes. */
export async function expectBoot(sources: Sources, wanted: Omit<Wanted, 'name'>): Promise<void> {
  const manifest = await sources.images.manifest(wanted.template);
  if ((await snapshotFor(sources, wanted, manifest)) !== undefined) return;
  await new Promise<void>((resolve, reject) => {
    sources.images
      .load(wanted.template, (loaded) => {
        if (loaded > 0) resolve();
      })
      .then(() => resolve(), reject);
  });
}

async function snapshotFor(
  { starts }: Sources,
  wanted: Omit<Wanted, 'name'>,
  manifest: Manifest,
): Promise<TemplateSnapshot | undefined> {
  if (!startsFromSnapshot(wanted, manifest)) return undefined;
  // Without it the images may still be there.
  return starts.open(wanted.template, manifest).catch(() => undefined);
}

function templateStart(
  { images }: Sources,
  { template, name }: Wanted,
  snapshot: TemplateSnapshot,
  violation: (what: string) => void,
): TemplateStart {
  const { port1, port2 } = new MessageChannel();
  setTimeout(() => void images.load(template, () => {}).catch(() => {}), IMAGES_AFTER_MS);
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
