/**
 * Where a VM's template starts from, and its downloads ahead of the VM. Kept apart from what makes
 * VMs: this much a page has before the rest of its scripts is there.
 */
import type { Manifest, Template } from '../machine/manifest.ts';
import { STATE_VERSION } from '../machine/snapshot/snapshot.ts';
import { ImageStore } from './images.ts';
import type { DiskRequest } from './storage/api.ts';
import type { TemplateSnapshot, TemplateSnapshots } from './template-snapshots.ts';

/** What templates are made of, for all VMs of a page. */
export interface TemplateSources {
  readonly images: ImageStore;
  /** The snapshots that templates start from: loaded when one does. */
  starts(): Promise<TemplateSnapshots>;
}

export function templateSources(folder: URL): TemplateSources {
  const images = new ImageStore(folder);
  let loading: Promise<TemplateSnapshots> | undefined;
  const starts = () => {
    loading ??= import('./template-snapshots.ts').then(
      ({ TemplateSnapshots }) => new TemplateSnapshots(images),
    );
    return loading;
  };
  return { images, starts };
}

export type WantedDisk = Omit<DiskRequest, 'id'> & { readonly id?: string };

/** What decides where a VM starts. */
export interface WantedStart {
  readonly template: Template;
  readonly memory?: number | undefined;
  readonly disk?: number | undefined;
  readonly disks?: readonly WantedDisk[] | undefined;
  readonly root?: DiskRequest['kind'] | undefined;
  readonly cold?: boolean | undefined;
}

/** Whether the machine that is wanted is the one that the template's snapshot was taken of. */
export function startsFromSnapshot(wanted: WantedStart, manifest: Manifest): boolean {
  const { snapshot } = manifest;
  const memory = wanted.memory ?? manifest.memory.default;
  return (
    snapshot !== undefined &&
    wanted.cold !== true &&
    snapshot.version === STATE_VERSION &&
    snapshot.memory === memory &&
    wanted.disk === undefined &&
    (wanted.disks?.length ?? 0) === (snapshot.disk && wanted.root === undefined ? 1 : 0)
  );
}

/** The snapshot that a VM starts from, where it does and it can be had. */
export async function snapshotFor(
  { starts }: Pick<TemplateSources, 'starts'>,
  wanted: WantedStart,
  manifest: Manifest,
): Promise<TemplateSnapshot | undefined> {
  if (!startsFromSnapshot(wanted, manifest)) return undefined;
  // Without it the images may still be there.
  const opened = (await starts()).open(wanted.template, manifest);
  return opened.catch(() => undefined);
}

/** Has what a VM will start from downloaded; resolves when the first of it comes. */
export async function expectBoot(sources: TemplateSources, wanted: WantedStart): Promise<void> {
  const { images, starts } = sources;
  if (wanted.cold !== true) void starts();
  const manifest = await images.manifest(wanted.template);
  const root = wanted.template.disk ? (wanted.root ?? 'scratch') : undefined;
  if ((await snapshotFor(sources, { ...wanted, root }, manifest)) !== undefined) return;
  await new Promise<void>((resolve, reject) => {
    images
      .load(wanted.template, (loaded) => {
        if (loaded > 0) resolve();
      })
      .then(() => resolve(), reject);
  });
}
