/**
 * The guest that a template's snapshot is taken of, and the one that shows what a guest touches after
 * it. Relies on the guest's own conventions (guests/README.md): commands over ports, the first shell
 * held back until the agent is told a name. Guarantees that what is captured has settled: shares are
 * mounted, nothing is dirty, memory that is free holds zeroes.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeFolder } from '../../src/cli/node-folder.ts';
import { nodeHost } from '../../src/cli/node-host.ts';
import { loadDiskImage } from '../../src/cli/overlay.ts';
import { loadCore, loadTranslations } from '../../src/cli/repository.ts';
import { PAGE_SIZE } from '../../src/core/layout.ts';
import { AGENT_PORT } from '../../src/machine/agent.ts';
import type { BlockBackend } from '../../src/machine/devices/virtio/block-backend.ts';
import { SHARED_TAG } from '../../src/machine/devices/virtio/share-backend.ts';
import { EXEC_APPEND, GuestCommand } from '../../src/machine/exec.ts';
import { GUEST_PORTS, portsNamed } from '../../src/machine/guest-ports.ts';
import { Machine } from '../../src/machine/machine.ts';
import type { Manifest } from '../../src/machine/manifest.ts';
import type { MachineImage, SnapshotSink } from '../../src/machine/snapshot/snapshot.ts';
import { DiskStore } from '../../src/storage/disk/disk-store.ts';
import { ChunkLibrary, ImageReader } from '../../src/storage/image/chunks.ts';
import { CHUNK_DEFAULT } from '../../src/storage/image/manifest.ts';
import { MemoryFs } from '../../src/storage/ninep/memory-fs.ts';
import { localShare } from '../../src/storage/ninep/share.ts';
import { Plain } from '../../tools/lib/shell.mjs';

/** A word on the kernel's command line that makes the first shell wait (guests/common/await-start). */
const TEMPLATE_APPEND = 'tabvisor.template';
/** The longest that a guest may take for any of this, in milliseconds. */
const PATIENCE_MS = 300_000;
/** A guest that waited for this share of a time is settled. */
const IDLE_MS = 500;
const IDLE_SHARE = 0.9;

/** Pages of RAM that are not zero, by number. */
export type Pages = ReadonlyMap<number, Uint8Array<ArrayBuffer>>;

/** Memory that stays free is filled with zeroes: what was there would be stored for nothing. */
const SETTLE = `
until [ -p /run/tabvisor.start ]; do sleep 0.1; done
until grep -q ' /mnt/shared ' /proc/mounts; do sleep 0.1; done
sync
echo 3 >/proc/sys/vm/drop_caches
mkdir /run/fill && mount -t tmpfs -o size=100% tmpfs /run/fill
free=$(awk '/^MemFree/ { print $2 }' /proc/meminfo)
head -c $(((free - 8192) * 1024)) /dev/zero >/run/fill/zeroes 2>/dev/null
umount /run/fill && rmdir /run/fill
"\${SHELL:-/bin/sh}" -lic 'ls /; uname -a' >/dev/null 2>&1 </dev/null
sync
`;

/** A guest that has settled, paused. */
export interface Settled {
  readonly disk: BlockBackend | undefined;
  /** Chunks of the root disk in the order in which the boot read them. */
  readonly chunks: readonly number[];
  capture(): Promise<{ image: MachineImage; pages: Pages }>;
  close(): Promise<void>;
}

export async function bootTemplate(folder: string, manifest: Manifest): Promise<Settled> {
  const command = settleCommand();
  const { machine, root, close } = await makeMachine(folder, manifest, command.ports);
  command.attach((name) => machine.port(name));
  try {
    machine.start();
    await command.ready;
    const agent = machine.port(AGENT_PORT);
    await until(machine, () => agent?.guestOpen === true, 'its agent never came up');
    await idle(machine);
    machine.pause();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    disk: root?.disk,
    chunks: root?.chunks ?? [],
    async capture() {
      const sink = memorySink();
      await machine.capture(sink);
      return sink.taken();
    },
    close,
  };
}

export interface Touched {
  readonly pages: readonly number[];
  /** How many of them until the prompt. */
  readonly usable: number;
  /** Chunks of the root disk. */
  readonly chunks: readonly number[];
}

/** Goes on from what was captured, page by page, as a new guest will: to its prompt and a first command. */
export async function touchOrder(
  folder: string,
  manifest: Manifest,
  settled: Settled,
  { image, pages }: { image: MachineImage; pages: Pages },
): Promise<Touched> {
  const given = settled.disk && recorded(settled.disk);
  const { machine, close } = await makeMachine(folder, manifest, [], given);
  const touched: number[] = [];
  let terminal = '';
  machine.onConsole((data, source) => {
    if (source === 'hvc') terminal += Buffer.from(data).toString('latin1');
  });
  const prompt = () => terminal.endsWith('# ') || terminal.includes('# \x1b');
  try {
    await machine.restore(
      {
        image,
        held: Uint32Array.from(pages.keys()),
        pages: nothing,
        fetch: async (wanted) => {
          touched.push(...wanted);
          return wanted.map((first) => ({ first, bytes: pages.get(first)! }));
        },
      },
      { generation: 'new', name: manifest.name },
    );
    machine.resume();
    await until(machine, prompt, 'it showed no prompt');
    const usable = touched.length;
    terminal = '';
    machine.consoleInput(Buffer.from('uname -a; ls -l /\r'));
    await until(machine, prompt, 'it did not answer');
    await idle(machine);
    return { pages: touched, usable, chunks: given?.chunks ?? [] };
  } finally {
    await close();
  }
}

async function* nothing() {}

interface Root {
  readonly disk: BlockBackend;
  readonly chunks: readonly number[];
}

/** The machine that templates start on: what the page and the command line make, too. */
async function makeMachine(
  folder: string,
  manifest: Manifest,
  served: GuestCommand['ports'],
  given?: Root,
) {
  const file = async (name: string) => new Uint8Array(await readFile(join(folder, name)));
  const scratch = mkdtempSync(join(tmpdir(), 'tabvisor-template-'));
  const root =
    given ?? (manifest.disk && (await openRoot(join(folder, manifest.disk.file), scratch)));
  const machine = Machine.create(
    {
      memory: manifest.memory.default,
      boot: {
        kind: 'linux',
        kernel: await file(manifest.kernel.file),
        ...(manifest.initrd && { initrd: await file(manifest.initrd.file) }),
        append: `${manifest.append} ${EXEC_APPEND} ${TEMPLATE_APPEND}`,
      },
      core: await loadCore(),
      shared: false,
      translations: await loadTranslations(),
      disks: root ? [root.disk] : [],
      shares: [localShare(SHARED_TAG, new MemoryFs())],
      ports: portsNamed(GUEST_PORTS, served),
    },
    nodeHost(),
  );
  const close = async () => {
    machine.destroy();
    rmSync(scratch, { recursive: true, force: true });
  };
  return { machine, root, close };
}

/** The root disk of an image, for a guest to write to, which tells what was read of the image. */
async function openRoot(manifest: string, scratch: string): Promise<Root> {
  const { image, source, chain } = await loadDiskImage(manifest);
  const reader = new ImageReader(image, source, new ChunkLibrary());
  const chunks = reader.record();
  const store = await DiskStore.open(new NodeFolder(scratch), async () => reader);
  const { id } = await store.create({ kind: 'scratch', size: image.size, image: chain });
  return { disk: await store.openDisk(id), chunks };
}

/** What is read of a disk by chunks; what is written is the machine's alone, and not wanted. */
function recorded(disk: BlockBackend): Root {
  const chunks: number[] = [];
  const seen = new Set<number>();
  const written = new Map<number, Uint8Array>();
  const read = async (offset: number, into: Uint8Array) => {
    for (let at = offset; at < offset + into.length; at += 512) {
      const chunk = Math.floor(at / CHUNK_DEFAULT);
      if (seen.has(chunk)) continue;
      seen.add(chunk);
      chunks.push(chunk);
    }
    await disk.read(offset, into);
    for (let at = 0; at < into.length; at += 512) {
      const sector = written.get(offset + at);
      if (sector) into.set(sector, at);
    }
  };
  const write = (offset: number, from: Uint8Array) => {
    for (let at = 0; at < from.length; at += 512) {
      written.set(offset + at, from.slice(at, at + 512));
    }
  };
  const zeroes = (offset: number, length: number) => {
    for (let at = 0; at < length; at += 512) written.set(offset + at, new Uint8Array(512));
  };
  const { size, id, readOnly } = disk;
  return {
    disk: {
      ...{ size, id, readOnly, read, write },
      flush: () => {},
      discard: () => {},
      writeZeroes: zeroes,
    },
    chunks,
  };
}

/** The command that settles a guest; `ready`: it is done, and the guest waits for the next one. */
function settleCommand() {
  let settle = { done: () => {}, fail: (_error: Error) => {} };
  let code: number | undefined;
  let output = '';
  const ready = new Promise<void>((done, fail) => {
    settle = { done, fail };
  });
  const failed = (reason: string) =>
    settle.fail(new Plain(`The guest could not settle for its snapshot: ${reason}`));
  const take = (data: Uint8Array) => {
    output += Buffer.from(data).toString();
  };
  const command = new GuestCommand(new TextEncoder().encode(SETTLE), {
    onStdout: take,
    onStderr: take,
    onExit: (ended) => {
      code = ended;
      if (code !== 0) failed(`its command ended with ${code}. ${output.slice(-500)}`);
    },
    onFailure: failed,
    onReady: () => {
      if (code === 0) settle.done();
    },
    onStdinSpace: () => command.end(),
  });
  return {
    ports: command.ports,
    attach: (find: Parameters<GuestCommand['attach']>[0]) => command.attach(find),
    ready: withPatience(ready, 'it took too long'),
  };
}

/** Waits for a guest. */
async function until(machine: Machine, done: () => boolean, otherwise: string): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!done()) {
    if (machine.state.kind !== 'running' || performance.now() > end) {
      const { reason } = machine.state;
      throw new Plain(`The guest made no snapshot: ${reason ?? otherwise}.`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Waits until a guest has nothing to do. */
async function idle(machine: Machine): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (performance.now() < end) {
    const before = machine.stats('estimate').idle_s;
    const from = performance.now();
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    const share = (machine.stats('estimate').idle_s - before) / ((performance.now() - from) / 1000);
    if (share >= IDLE_SHARE) return;
  }
  throw new Plain('The guest made no snapshot: it never came to rest.');
}

async function withPatience<T>(promise: Promise<T>, otherwise: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(
      () => fail(new Plain(`The guest could not settle for its snapshot: ${otherwise}.`)),
      PATIENCE_MS,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Takes a snapshot into memory. */
function memorySink(): SnapshotSink & { taken(): { image: MachineImage; pages: Pages } } {
  let image: MachineImage | undefined;
  const pages = new Map<number, Uint8Array<ArrayBuffer>>();
  return {
    begin(given) {
      image = given;
    },
    pages({ first, bytes }) {
      for (let at = 0; at < bytes.length; at += PAGE_SIZE) {
        pages.set(first + at / PAGE_SIZE, bytes.slice(at, at + PAGE_SIZE));
      }
    },
    end: async () => {},
    abort: () => {},
    taken() {
      if (!image) throw new Plain('The snapshot of the template is not whole.');
      return { image, pages };
    },
  };
}
