/**
 * Where a template starts on the command line: its snapshot, read from files, when the machine that
 * is asked for is the one that it was taken of. What does not fit, is missing or is of another
 * version boots the kernel: that is no failure.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { SHARED_TAG, type ShareBackend } from '../machine/devices/virtio/share-backend.ts';
import { UserError } from '../machine/errors.ts';
import type { Manifest } from '../machine/manifest.ts';
import { type SnapshotSource, STATE_VERSION } from '../machine/snapshot/snapshot.ts';
import { parseSnapshotIndex, type Stored, storedName } from '../machine/snapshot/template-index.ts';
import { templateSource } from '../machine/snapshot/template-snapshot.ts';
import { MemoryFs } from '../storage/ninep/memory-fs.ts';
import { localShare } from '../storage/ninep/share.ts';
import type { RunArguments } from './arguments.ts';
import { DEFAULT_TEMPLATE, findTemplate } from './repository.ts';

const unpack = promisify(gunzip);

export interface TemplateStart {
  readonly source: SnapshotSource;
  readonly memory: number;
  /** Path of the root disk's manifest. */
  readonly disk?: string | undefined;
  /** What its machine has as the shared folder when nobody gives one: an empty one. */
  readonly share: ShareBackend;
  /** What the guest is told that it is called. */
  readonly name: string;
}

/** The snapshot that these arguments lead to, if any. */
export async function templateStart(args: RunArguments): Promise<TemplateStart | undefined> {
  if (!fits(args)) return undefined;
  const { manifest, folder } = await findTemplate(args.template ?? DEFAULT_TEMPLATE);
  const { snapshot } = manifest;
  if (snapshot?.version !== STATE_VERSION) return undefined;
  if (args.memory !== undefined && args.memory !== snapshot.memory) return undefined;
  try {
    return await open(manifest, snapshot, folder);
  } catch {
    return undefined;
  }
}

/** Whether a machine is asked for as templates' snapshots are made of. */
function fits(args: RunArguments): boolean {
  const { kernel, elf, firmware, append, overlay, disks } = args;
  const others = [kernel, elf, firmware, append, overlay, args.snapshot, args.save];
  return (
    others.every((one) => one === undefined) &&
    disks.length === 0 &&
    !args.cold &&
    !args.lockstep &&
    !args.trace
  );
}

async function open(
  manifest: Manifest,
  snapshot: NonNullable<Manifest['snapshot']>,
  folder: string,
): Promise<TemplateStart> {
  const path = join(folder, snapshot.file);
  const index = parseSnapshotIndex((await verified(path, snapshot.sha256)).toString('utf8'), path);
  const stored = async (one: Stored) => {
    const packed = await verified(join(dirname(path), storedName(one)), one.sha256);
    return new Uint8Array(await unpack(packed));
  };
  return {
    source: templateSource(index, await stored(index.state), (piece) =>
      stored(index.pieces[piece]!),
    ),
    memory: snapshot.memory,
    disk: snapshot.disk && join(folder, snapshot.disk.file),
    share: localShare(SHARED_TAG, new MemoryFs()),
    name: manifest.name,
  };
}

async function verified(path: string, sha256: string): Promise<Buffer> {
  const bytes = await readFile(path);
  if (createHash('sha256').update(bytes).digest('hex') === sha256) return bytes;
  throw new UserError(`The file ${path} is damaged. Make it again with "npm run guests".`);
}
