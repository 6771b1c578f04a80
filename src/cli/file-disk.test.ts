import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../machine/errors.ts';
import { FileDisk } from './file-disk.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'disk-'));
  path = join(folder, 'a disk.img');
});
afterEach(() => rm(folder, { recursive: true }));

describe('file as a disk', () => {
  it('reads and writes where it should, and keeps what was written', async () => {
    await writeFile(path, new Uint8Array(4096));
    const disk = await FileDisk.open(path, false);
    expect([disk.size, disk.readOnly, disk.id]).toEqual([4096, false, 'a disk.img']);
    await disk.write(512, new Uint8Array(512).fill(7));
    await disk.writeZeroes(600, 10);
    await disk.flush();
    const back = new Uint8Array(1024);
    await disk.read(256, back);
    await disk.close();
    const file = new Uint8Array(await readFile(path));
    expect(file.length).toBe(4096);
    expect(back).toEqual(file.slice(256, 1280));
    expect([file[511], file[512], file[599], file[600], file[609], file[610], file[1024]]).toEqual([
      0, 7, 7, 0, 0, 7, 0,
    ]);
  });

  it('that ends within a sector is padded when it is read, and refused for writing', async () => {
    await writeFile(path, new Uint8Array(1000).fill(7));
    await expect(FileDisk.open(path, false)).rejects.toThrow(
      /has 1000 bytes, which is no multiple of 512: .* last 488\. .*"truncate -s 1024 .*,ro\.$/,
    );
    const disk = await FileDisk.open(path, true);
    expect(disk.size).toBe(1024);
    const back = new Uint8Array(512).fill(1);
    await disk.read(512, back);
    expect(back).toEqual(new Uint8Array(512).fill(7, 0, 488));
    // A file that has become shorter is an error, not a disk full of zeroes.
    await truncate(path, 600);
    await expect(disk.read(512, back)).rejects.toThrow(/ended at byte 600/);
    await disk.close();
  });

  it('zeroes a range larger than its buffer', async () => {
    await writeFile(path, new Uint8Array(3 << 20).fill(9));
    const disk = await FileDisk.open(path, false);
    await disk.writeZeroes(512, (2 << 20) + 512);
    await disk.close();
    const file = await readFile(path);
    expect([file[511], file[512], file[(2 << 20) + 1023], file[(2 << 20) + 1024]]).toEqual([
      9, 0, 0, 9,
    ]);
  });

  it('does not write a read-only one', async () => {
    await writeFile(path, new Uint8Array(512));
    const disk = await FileDisk.open(path, true);
    expect(disk.readOnly).toBe(true);
    await expect(disk.write(0, new Uint8Array(1))).rejects.toThrow();
    await disk.close();
  });

  it('fails, rather than making bytes up, where the file has shrunk', async () => {
    await writeFile(path, new Uint8Array(2048));
    const disk = await FileDisk.open(path, false);
    await writeFile(path, new Uint8Array(512));
    await expect(disk.read(0, new Uint8Array(1024))).rejects.toThrow('ended at byte 512');
    await disk.close();
  });

  it('refuses what is no disk with a sentence', async () => {
    await writeFile(path, 'short');
    for (const [what, sentence] of [
      [path, /has 5 bytes/],
      [folder, /folder/],
      [join(folder, 'none'), /does not exist/],
    ] as const) {
      const opened = FileDisk.open(what, false);
      await expect(opened).rejects.toThrow(UserError);
      await expect(opened).rejects.toThrow(sentence);
    }
    await expect(FileDisk.open(folder, true)).rejects.toThrow(/plain file/);
  });
});
