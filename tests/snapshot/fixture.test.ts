/**
 * A machine that the first version of the format has written goes on in every later one: the file
 * is committed, small, and never made anew but together with a format of its own (then under another
 * name, beside this one). `TABVISOR_FIXTURE=NAME` writes NAME.tabvm. It is the program of
 * increments.ts in 2 MB of RAM, half-way, with a disk of 64 KB that has something at its ends.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodeHost } from '../../src/cli/node-host.ts';
import { loadCore } from '../../src/cli/repository.ts';
import { bootOf, disksOf, openTabvm, saveTabvm } from '../../src/cli/tabvm.ts';
import type { BlockBackend } from '../../src/machine/devices/virtio/block-backend.ts';
import { MemoryBackend } from '../../src/machine/devices/virtio/memory-backend.ts';
import { UserError } from '../../src/machine/errors.ts';
import { type BootConfig, Machine } from '../../src/machine/machine.ts';
import { MIB } from '../../src/machine/memory-map.ts';
import { BLOCK_HEADER, decodeHeader, MAGIC, Part } from '../../src/storage/tabvm/blocks.ts';
import { program } from '../machine/bare-metal.ts';
import { end, increments, instructions } from './increments.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures');
const FILE = join(FIXTURES, 'counting-1.tabvm');
const PAGES = 40;
const MEMORY = 2 * MIB;
const DISK = 64 << 10;

const folder = mkdtempSync(join(tmpdir(), 'tabvisor-fixture-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function machine(boot: BootConfig, memory: number, disks: readonly BlockBackend[]) {
  return Machine.create({ memory, boot, core: await loadCore(), shared: false, disks }, nodeHost());
}

beforeAll(async () => {
  const name = process.env.TABVISOR_FIXTURE;
  if (name === undefined) return;
  const path = join(FIXTURES, `${name}.tabvm`);
  if (existsSync(path)) throw new Error(`${path} is there already, and is never made anew.`);
  const contents = new Uint8Array(DISK).fill(0x5a, 0, 512).fill(0xa5, DISK - 512);
  const disks = [new MemoryBackend(DISK, { contents })];
  const boot = { kind: 'elf', elf: program(increments(PAGES)) } as const;
  const one = await machine(boot, MEMORY, disks);
  one.start();
  await instructions(one, 150_000);
  await saveTabvm(one, { path, boot, template: '', disks });
  one.destroy();
});

/** Offset of the first block of a part, and its header. */
function blockOf(file: Uint8Array, part: number) {
  for (let at = MAGIC.length; ; ) {
    const header = decodeHeader(file.subarray(at, at + BLOCK_HEADER));
    if (header.part === part) return { at, header };
    at += BLOCK_HEADER + header.stored;
  }
}

test('it is whole, goes on where it was, and has its disk', async () => {
  const opened = await openTabvm(FILE);
  await opened.file.verify();
  const { disks, close } = await disksOf(opened);
  const ends = new Uint8Array(2 * 512);
  await disks[0]!.read(0, ends.subarray(0, 512));
  await disks[0]!.read(DISK - 512, ends.subarray(512));
  expect([disks[0]!.size, ends[0], ends[511], ends[512], ends[1023]]).toEqual([
    ...[DISK, 0x5a, 0x5a, 0xa5, 0xa5],
  ]);
  const one = await machine(await bootOf(opened), opened.setup.memory, disks);
  await one.restore(opened.source);
  expect(await end(one)).toBe(0);
  one.destroy();
  await close();
  await opened.close();
});

test('it goes to another machine by a file of its own and back, and both ends lose nothing', async () => {
  const opened = await openTabvm(FILE);
  const boot = await bootOf(opened);
  const { disks, close } = await disksOf(opened);
  let one = await machine(boot, MEMORY, disks);
  await one.restore(opened.source);
  for (const name of ['there', 'back']) {
    one.resume();
    await instructions(one, 100_000);
    const path = join(folder, `${name}.tabvm`);
    await saveTabvm(one, { path, boot, template: '', disks });
    // Who stays behind goes on as well: a branch.
    expect(await end(one)).toBe(0);
    one.destroy();
    const next = await openTabvm(path);
    one = await machine(await bootOf(next), MEMORY, disks);
    await one.restore(next.source);
    await next.close();
  }
  expect(await end(one)).toBe(0);
  one.destroy();
  await close();
  await opened.close();
});

describe('is refused with a sentence that names it', () => {
  const refusal = async (bytes: Uint8Array): Promise<string> => {
    const path = join(folder, 'bad.tabvm');
    writeFileSync(path, bytes);
    try {
      const opened = await openTabvm(path);
      try {
        await opened.file.verify();
      } finally {
        await opened.close();
      }
      return 'It was opened.';
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };

  test('a newer version', async () => {
    const bytes = new Uint8Array(readFileSync(FILE));
    bytes[6] = 2;
    expect(await refusal(bytes)).toMatch(
      /^The snapshot .+bad\.tabvm cannot be used: The \.tabvm file is of version 2, and this Tabvisor reads version 1\. Open it with [^.]+\.$/,
    );
    const path = join(folder, 'newer.tabvm');
    writeFileSync(path, bytes);
    await expect(openTabvm(path)).rejects.toThrow(UserError);
  });

  const kinds = { head: Part.HEAD, state: Part.STATE, kernel: Part.KERNEL, RAM: Part.RAM };
  test.each(Object.entries({ ...kinds, disk: Part.DISK, end: Part.END }))(
    'a damaged block: %s, in its header and in its contents; cut off there',
    async (_, part) => {
      const whole = new Uint8Array(readFileSync(FILE));
      const { at, header } = blockOf(whole, part);
      for (const offset of [0, 16, 24, BLOCK_HEADER, BLOCK_HEADER + header.stored - 1]) {
        const bytes = whole.slice();
        bytes[at + offset]! ^= 0x20;
        expect(await refusal(bytes)).toMatch(/The \.tabvm file is damaged: [^.]+\.$/);
      }
      for (const length of [at, at + 5, at + BLOCK_HEADER, at + BLOCK_HEADER + 1]) {
        expect(await refusal(whole.slice(0, length))).toMatch(/is damaged: [^.]+\.$/);
      }
    },
  );
});
