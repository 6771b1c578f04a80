/** A real guest on a shared folder: Linux's driver of 9P against the server, in memory and in Node. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { NodeShare } from '../../src/cli/node-share.ts';
import { ShareFiles } from '../../src/storage/ninep/files.ts';
import { MemoryFs } from '../../src/storage/ninep/memory-fs.ts';
import { localShare } from '../../src/storage/ninep/share.ts';
import { Guest, stopGuests } from '../linux/guest.ts';

afterEach(({ task }) => stopGuests(task.result?.state === 'fail'));

/** Of the large file; TABVISOR_SHARE_MB=64 takes longer. */
const MEGABYTES = Number(process.env.TABVISOR_SHARE_MB ?? 16);
let folder: string;
let digest: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tabvisor-shared-'));
  const large = randomBytes(MEGABYTES << 20);
  digest = createHash('sha256').update(large).digest('hex');
  writeFileSync(join(folder, 'large'), large);
  mkdirSync(join(folder, 'many'));
  for (let i = 0; i < 1000; i++) writeFileSync(join(folder, 'many', `file-${i}`), `${i}`);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What a script that ends at its first failure prints, line by line. */
async function run(script: string, shares: Parameters<typeof Guest.run>[1]): Promise<string[]> {
  const { code, stdout, stderr } = await Guest.run(`set -e; cd /mnt/shared; ${script}`, shares);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.toString().trimEnd().split('\n');
}

const WORK = `
echo one >a; echo two >>a; cat a
mv a b; cat b; ls
mkdir -p tree/x/y; cp b tree/x/y/c; ln -s x/y/c tree/link; cat tree/link
tar cf t.tar tree; mkdir out; tar xf t.tar -C out; cat out/tree/x/y/c; readlink out/tree/link
exec 3<b; rm b; cat <&3; exec 3<&-; [ ! -e b ] && echo gone
dd if=/dev/zero of=sparse bs=1 count=1 seek=1000000 2>/dev/null; wc -c <sparse
ln t.tar same; [ t.tar -ef same ] && echo same
chmod 600 same; chown 5:6 same; stat -c '%a %u %g' t.tar
touch -d '2001-02-03 04:05:06' same; date -u -r same +%s
mv tree elsewhere; cat elsewhere/x/y/c; rm -r elsewhere out
mknod pipe p 2>/dev/null || echo 'no pipes'`;

const SHOWN = [
  ...['one', 'two', 'one', 'two', 'b', 'one', 'two', 'one', 'two', 'x/y/c'],
  ...['one', 'two', 'gone', '1000001', 'same', '600 5 6', '981173106', 'one', 'two', 'no pipes'],
];

test('a folder in memory: what a shell does with files', async () => {
  const fs = new MemoryFs();
  expect(await run(WORK, { shares: [localShare('shared', fs)] })).toEqual(SHOWN);
  const names = (await new ShareFiles(fs).list()).map(({ name }) => name);
  expect(names).toEqual(['same', 'sparse', 't.tar']);
});

describe('a folder of this computer', () => {
  test('what a shell does with files; a large file; a thousand files', async () => {
    mkdirSync(join(folder, 'work'));
    const share = await NodeShare.open(folder, false);
    const script = `
cd work;${WORK}
cd ..; sha256sum <large; cp large copy; ls many | wc -l; cat many/* | wc -c; grep -c . many/file-7`;
    const shown = await run(script, { shares: [localShare('shared', share)] });
    expect(shown).toEqual([...SHOWN, `${digest}  -`, '1000', '2890', '1']);
    expect(
      createHash('sha256')
        .update(readFileSync(join(folder, 'copy')))
        .digest('hex'),
    ).toBe(digest);
    expect(statSync(join(folder, 'work/sparse')).size).toBe(1_000_001);
  });

  test('read-only: nothing changes', async () => {
    const share = await NodeShare.open(folder, true);
    const script = `
head -c 5 many/file-999; echo
for act in 'touch new' 'rm large' 'mkdir x' 'mv large y' 'chmod 0 large' 'ln -s a b'; do
  $act 2>/dev/null && echo "$act went through"
done; sh -c 'echo x >many/file-1' 2>/dev/null || echo refused`;
    expect(await run(script, { shares: [localShare('shared', share)] })).toEqual([
      '999',
      'refused',
    ]);
  });
});

test('what the host changes while the guest runs is seen', async () => {
  const fs = new MemoryFs();
  const files = new ShareFiles(fs);
  const put = (name: string, text: string) =>
    files.put(
      name,
      (async function* () {
        yield new TextEncoder().encode(text);
      })(),
    );
  await put('note', 'first\n');
  const guest = await Guest.boot({ shares: [localShare('shared', fs)] });
  // The guest mounts the folder a moment after its prompt.
  await guest.shell('until grep -q /mnt/shared /proc/mounts; do sleep 0.1; done');
  expect(await guest.shell('cat /mnt/shared/note')).toBe('first\n');
  await put('note', 'second, and longer\n');
  await put('new', 'dropped\n');
  expect(await guest.shell('cat /mnt/shared/note /mnt/shared/new')).toBe(
    'second, and longer\ndropped\n',
  );
  await guest.shell('echo answer >/mnt/shared/answer');
  const answer: Uint8Array[] = [];
  for await (const piece of files.read('answer')) answer.push(piece);
  expect(Buffer.concat(answer).toString()).toBe('answer\n');
});
