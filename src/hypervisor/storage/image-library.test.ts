import { afterEach, expect, test, vi } from 'vitest';
import { formatDiskImage } from '../../storage/image/manifest.ts';
import { imageOf } from '../../storage/testing/image-fixture.ts';
import { MemoryFolder } from '../../storage/testing/memory-folder.ts';
import { ImageLibrary } from './image-library.ts';

afterEach(() => vi.unstubAllGlobals());

const URL = 'https://example.org/images/debian/disk.json';
/** The server: addresses and what is there. */
function serve(files: Record<string, string>) {
  vi.stubGlobal('fetch', async (url: string) => {
    const text = files[url];
    return text === undefined ? new Response('', { status: 404 }) : new Response(text);
  });
}
const away = () => vi.stubGlobal('fetch', () => Promise.reject(new TypeError('away')));

test('without a network a manifest is the last one that was there', async () => {
  const folder = new MemoryFolder();
  const first = formatDiskImage((await imageOf(new Uint8Array(65_536).fill(1))).image);
  const second = formatDiskImage((await imageOf(new Uint8Array(65_536).fill(2))).image);
  const library = await ImageLibrary.open(folder);
  away();
  await expect(library.add(URL)).rejects.toThrow('the network or the server is away');
  serve({ [URL]: first });
  const { chain } = await library.add(URL);
  away();
  const again = await ImageLibrary.open(folder);
  expect((await again.add(URL)).chain).toEqual(chain);
  await expect(again.add(`${URL}.other`)).rejects.toThrow('away');
  serve({ [URL]: second });
  const newer = await again.add(URL);
  expect(newer.chain.id).not.toBe(chain.id);
  away();
  expect(await again.add(URL)).toEqual(newer);
  // A disk that was made of the first one still finds it.
  expect((await again.find(chain)).size).toBe(65_536);
});
