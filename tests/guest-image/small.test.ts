/**
 * The recipe small, made here and booted from its disk: by the command line, which reads chunks and
 * keeps what is written apart, and by QEMU from the same disk in one piece.
 */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildImages } from '../../guests/build.mjs';
import { makeImage } from '../../guests/make/make.ts';
import { nodeHost } from '../../src/cli/node-host.ts';
import { openOverlay } from '../../src/cli/overlay.ts';
import { loadCore } from '../../src/cli/repository.ts';
import { SHARED_TAG } from '../../src/machine/devices/virtio/share-backend.ts';
import { GUEST_PORTS, portsNamed } from '../../src/machine/guest-ports.ts';
import { Machine } from '../../src/machine/machine.ts';
import { parseManifest } from '../../src/machine/manifest.ts';
import {
  parseSnapshotIndex,
  type Stored,
  storedName,
} from '../../src/machine/snapshot/template-index.ts';
import { templateSource } from '../../src/machine/snapshot/template-snapshot.ts';
import { MemoryFs } from '../../src/storage/ninep/memory-fs.ts';
import { localShare } from '../../src/storage/ninep/share.ts';
import { which } from '../../tools/lib/shell.mjs';
import { qemuSystemRiscv64 } from '../../tools/qemu.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
// Not among the templates: what a test makes is not what a person is offered.
const images = join(root, 'build/test-images');
const image = join(images, 'small');
const cache = join(root, '.cache/guests');
let folder = '';

beforeAll(async () => {
  await buildImages(console.error);
  await makeImage(join(root, 'guests/small/recipe.json'), { images, cache, log: console.error });
  folder = mkdtempSync(join(tmpdir(), 'small-'));
}, 600_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function manifest() {
  return parseManifest(readFileSync(join(image, 'manifest.json'), 'utf8'), 'small');
}

/** What e2fsck, which only looks, says of a disk. */
function look(disk: string) {
  const program = which('e2fsck') ?? 'e2fsck';
  return spawnSync(program, ['-fn', disk], { encoding: 'utf8' });
}

/** Runs a command in the guest; what it writes to its disk goes to `overlay`, when one is named. */
async function exec(command: string, overlay?: string) {
  const { append } = manifest();
  const disk = ['--image', join(image, 'disk.json'), ...(overlay ? ['--overlay', overlay] : [])];
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [
    ...[join(root, 'bin/tabvisor'), 'run', '--kernel', join(image, 'kernel')],
    ...['--initrd', join(image, 'initrd'), '--append', append, ...disk],
    ...['--memory', '128M', '--exec', command],
  ]);
  return stdout;
}

test('boots from chunks: root is the disk, packages are configured, users are there', async () => {
  const words =
    'findmnt() { grep " / " /proc/mounts; }; findmnt; dpkg --audit; dpkg -l bash | tail -n 1; ' +
    'id -u; id -u user; stat -c "%U:%G %a" /home/user /tmp /root; cat /etc/hostname; ls /mnt';
  const shown = await exec(words);
  expect(shown).toMatch(/^\/dev\/vda \/ ext4 rw,noatime/);
  expect(shown).toMatch(/\nii {2}bash /);
  expect(shown).toContain('\n0\n1000\nuser:user 755\nroot:root 1777\nroot:root 700\nsmall\n');
});

test('what it writes is in its overlay, and only there', async () => {
  const overlay = join(folder, 'overlay');
  await exec('echo kept >/root/note; sync', overlay);
  expect(await exec('cat /root/note', overlay)).toBe('kept\n');
  expect(await exec('cat /root/note 2>/dev/null; true')).toBe('');
});

test('its disk is clean, less than 30 MB are to be fetched, and QEMU boots it', async () => {
  const disk = join(folder, 'disk.ext4');
  copyFileSync(join(cache, 'small/finished.ext4'), disk);
  const check = look(disk);
  expect(check.status, check.stdout).toBe(0);
  const { kernel, initrd, append } = manifest();
  const chunks: { chunks: ({ sha256: string; size: number } | null)[] } = JSON.parse(
    readFileSync(join(image, 'disk.json'), 'utf8'),
  );
  const sizes = new Map(chunks.chunks.flatMap((one) => (one ? [[one.sha256, one.size]] : [])));
  const stored = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  expect(stored + (kernel.gz?.size ?? 0) + (initrd?.gz?.size ?? 0)).toBeLessThan(30e6);

  const { command, args } = await qemuSystemRiscv64();
  const guest = spawn(
    command,
    [
      ...[...args, '-M', 'virt', '-m', '128', '-display', 'none', '-no-user-config', '-no-reboot'],
      ...['-global', 'virtio-mmio.force-legacy=false', '-serial', 'file:/dev/null'],
      ...['-kernel', join(image, 'kernel'), '-initrd', join(image, 'initrd'), '-append', append],
      ...['-device', 'virtio-serial-device', '-device', 'virtio-rng-device'],
      ...['-drive', `file=${disk},format=raw,id=root,if=none`],
      ...['-device', 'virtio-blk-device,drive=root'],
      ...['-chardev', 'stdio,id=terminal,signal=off', '-device', 'virtconsole,chardev=terminal'],
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  let shown = '';
  let typed = false;
  guest.stdout.on('data', (data: Buffer) => {
    shown += data.toString('latin1');
    // Typed at the prompt: what comes before it is thrown away by the shell.
    if (typed || !/root@small.*# /s.test(shown)) return;
    typed = true;
    guest.stdin.write('echo "sum $((40 + 2))"; poweroff\n');
  });
  const code = await new Promise((done) => guest.on('exit', done));
  expect(shown).toContain('sum 42');
  expect(code).toBe(0);
  const after = look(disk);
  expect(after.status, after.stdout).toBe(0);
});

test('goes on from its snapshot: the shell comes first, its disk is as it was then', async () => {
  const { snapshot, memory } = manifest();
  if (snapshot?.disk === undefined) expect.fail('The image has no snapshot.');
  expect(snapshot.memory).toBe(memory.default);
  const index = parseSnapshotIndex(readFileSync(join(image, snapshot.file), 'utf8'), 'index');
  const stored = async (one: Stored) =>
    new Uint8Array(gunzipSync(readFileSync(join(image, 'snapshot', storedName(one)))));
  const source = templateSource(index, await stored(index.state), (piece) =>
    stored(index.pieces[piece]!),
  );
  const { disk, close } = await openOverlay({ image: join(image, snapshot.disk.file) });
  const machine = Machine.create(
    {
      memory: snapshot.memory,
      boot: () => Promise.reject(new Error('The guest rebooted.')),
      core: await loadCore(),
      shared: false,
      disks: [disk],
      shares: [localShare(SHARED_TAG, new MemoryFs())],
      ports: portsNamed(GUEST_PORTS),
    },
    nodeHost(),
  );
  try {
    let shown = '';
    machine.onConsole((data, from) => {
      if (from === 'hvc') shown += Buffer.from(data).toString('latin1');
    });
    const shows = async (what: RegExp) => {
      while (!what.test(shown)) {
        if (machine.state.kind !== 'running') expect.fail(`It is ${machine.state.kind}: ${shown}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    await machine.restore(source, { generation: 'new', name: 'another' });
    machine.resume();
    await shows(/root@another.*# /s);
    machine.consoleInput(Buffer.from('dd if=/dev/urandom of=/root/new bs=64k count=20; sync\r'));
    machine.consoleInput(
      Buffer.from('cat /etc/hostname; dmesg | grep -c EXT4-fs.error; poweroff\r'),
    );
    await shows(/another\r\n0\r\n/);
    while (machine.state.kind === 'running') await new Promise((one) => setTimeout(one, 20));
    expect(machine.state).toMatchObject({ kind: 'off' });
    // What was written is consistent with what was there.
    const raw = join(folder, 'left.ext4');
    const bytes = new Uint8Array(disk.size);
    await disk.read(0, bytes);
    writeFileSync(raw, bytes);
    const check = look(raw);
    expect(check.status, check.stdout).toBe(0);
  } finally {
    machine.destroy();
    await close();
  }
});
