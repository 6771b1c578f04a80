import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type ArchiveEntry, tarStream } from './tar.ts';

const folder = mkdtempSync(join(tmpdir(), 'tar-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const entry = (path: string, text: string, size = text.length): ArchiveEntry => ({
  path,
  size,
  modified: 1_700_000_000_000,
  read: () => new Blob([text]).stream(),
});

test('the host’s tar unpacks it: folders, long names, files that changed their length meanwhile', async () => {
  const long = `${'folder/'.repeat(15)}${'n'.repeat(90)}`;
  const skipped: string[] = [];
  const stream = tarStream(
    [
      entry('a.txt', 'one'),
      entry('b/c.txt', 'x'.repeat(1024)),
      entry(long, 'deep'),
      entry('grew', 'longer than it was', 6),
      entry('shrank', 'ab', 5),
      entry('n'.repeat(101), 'no'),
    ],
    (path) => skipped.push(path),
  );
  const file = join(folder, 'all.tar');
  writeFileSync(file, new Uint8Array(await new Response(stream).arrayBuffer()));
  execFileSync('tar', ['-xf', file, '-C', folder]);
  const read = (path: string) => readFileSync(join(folder, path), 'utf8');
  expect(read('a.txt')).toBe('one');
  expect(read('b/c.txt')).toBe('x'.repeat(1024));
  expect(read(long)).toBe('deep');
  expect(read('grew')).toBe('longer');
  expect(read('shrank')).toBe('ab\0\0\0');
  expect(skipped).toEqual(['n'.repeat(101)]);
});
