/** The parts of the initramfs: the archive's form, and the order in which modules load. */
import { describe, expect, test } from 'vitest';
import { writeCpio } from './cpio.mjs';
import { moduleClosure, moduleIndexes, moduleName, readModinfo } from './modules.mjs';

/** Reads an archive back by the letter of the format. */
function readCpio(bytes: Buffer) {
  const entries: { path: string; mode: number; data: string; device: number[] }[] = [];
  for (let at = 0; ; ) {
    const field = (index: number) =>
      Number.parseInt(bytes.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    expect(bytes.toString('latin1', at, at + 6)).toBe('070701');
    const [mode, size, nameSize] = [field(1), field(6), field(11)];
    const path = bytes.toString('utf8', at + 110, at + 110 + nameSize - 1);
    const start = Math.ceil((at + 110 + nameSize) / 4) * 4;
    if (path === 'TRAILER!!!') return entries;
    entries.push({
      path,
      mode,
      data: bytes.toString('utf8', start, start + size),
      device: [field(9), field(10)],
    });
    at = Math.ceil((start + size) / 4) * 4;
  }
}

describe('writeCpio', () => {
  test('writes files, links, devices, and the folders above them', () => {
    const bytes = writeCpio([
      { path: 'bin', type: 'folder' },
      { path: 'bin/tool', type: 'file', mode: 0o755, data: 'code' },
      { path: 'lib/deep/file', type: 'file', data: 'x' },
      { path: 'init', type: 'link', data: 'bin/tool' },
      { path: 'dev/console', type: 'character', device: [5, 1] },
    ]);
    expect(bytes.length % 512).toBe(0);
    expect(readCpio(bytes)).toEqual([
      { path: 'bin', mode: 0o040755, data: '', device: [0, 0] },
      { path: 'bin/tool', mode: 0o100755, data: 'code', device: [0, 0] },
      { path: 'lib', mode: 0o040755, data: '', device: [0, 0] },
      { path: 'lib/deep', mode: 0o040755, data: '', device: [0, 0] },
      { path: 'lib/deep/file', mode: 0o100644, data: 'x', device: [0, 0] },
      { path: 'init', mode: 0o120777, data: 'bin/tool', device: [0, 0] },
      { path: 'dev', mode: 0o040755, data: '', device: [0, 0] },
      { path: 'dev/console', mode: 0o020600, data: '', device: [5, 1] },
    ]);
  });

  test('refuses to write a file twice', () => {
    const node = { path: 'a', type: 'file' as const };
    expect(() => writeCpio([node, node])).toThrow(/a twice/);
  });
});

/** A minimal ELF object with a .modinfo section. */
function object(...lines: string[]): Buffer {
  const info = Buffer.from(lines.map((line) => `${line}\0`).join(''));
  const names = Buffer.from('\0.modinfo\0.shstrtab\0');
  const header = Buffer.alloc(64);
  header.write('\x7fELF\x02\x01', 'latin1');
  const table = 64 + info.length + names.length;
  header.writeBigUInt64LE(BigInt(table), 40);
  header.writeUInt16LE(64, 58);
  header.writeUInt16LE(3, 60);
  header.writeUInt16LE(2, 62);
  const section = (name: number, offset: number, size: number) => {
    const entry = Buffer.alloc(64);
    entry.writeUInt32LE(name);
    entry.writeBigUInt64LE(BigInt(offset), 24);
    entry.writeBigUInt64LE(BigInt(size), 32);
    return entry;
  };
  return Buffer.concat([
    ...[header, info, names, Buffer.alloc(64)],
    ...[section(1, 64, info.length), section(10, 64 + info.length, names.length)],
  ]);
}

describe('modules', () => {
  const available = new Map(
    Object.entries({
      ext4: object('depends=jbd2,mbcache', 'softdep=pre: crc32c', 'alias=fs-ext4'),
      jbd2: object('depends=crc16'),
      mbcache: object('depends='),
      crc16: object(),
      crc32c: object('alias=crypto-crc32c'),
      loop: object('alias=block-major-7-*'),
      'virtio-rng': object('depends=', 'alias=virtio:d00000004v*'),
    }).map(([name, packed]) => [moduleName(name), { path: `kernel/${name}.ko.xz`, packed }]),
  );
  const unpack = (packed: Buffer) => packed;

  test('.modinfo is read', () => {
    expect(readModinfo(object('license=GPL', 'depends=a,b'))).toEqual([
      { key: 'license', value: 'GPL' },
      { key: 'depends', value: 'a,b' },
    ]);
    expect(() => readModinfo(Buffer.from('no module'))).toThrow(/no 64-bit/);
  });

  test('dependencies load before what needs them', () => {
    const closure = moduleClosure(available, ['ext4', 'virtio-rng'], {}, unpack);
    expect([...closure.keys()].sort()).toEqual([
      'crc16',
      'crc32c',
      'ext4',
      'jbd2',
      'mbcache',
      'virtio_rng',
    ]);
    const { dep, alias } = moduleIndexes(closure);
    const line = dep.split('\n').find((text) => text.startsWith('kernel/ext4')) ?? '';
    const order = line.split(' ').slice(1).reverse(); // modprobe loads from the end
    expect(order.length).toBe(4);
    expect(order.indexOf('kernel/crc16.ko.xz')).toBeLessThan(order.indexOf('kernel/jbd2.ko.xz'));
    expect(alias).toContain('alias fs-ext4 ext4\n');
    expect(alias).toContain('alias virtio:d00000004v* virtio_rng\n');
  });

  test("the recipe's own soft dependencies count", () => {
    const closure = moduleClosure(available, ['loop'], { loop: ['mbcache'] }, unpack);
    expect(moduleIndexes(closure).dep).toContain('kernel/loop.ko.xz: kernel/mbcache.ko.xz\n');
  });

  test('a module that the kernel lacks is named', () => {
    expect(() => moduleClosure(available, ['xfs'], {}, unpack)).toThrow(/no module xfs/);
  });
});
