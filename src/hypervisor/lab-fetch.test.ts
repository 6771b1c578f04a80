import { afterEach, expect, it, vi } from 'vitest';
import { fetchLabFile } from './lab-fetch.ts';

const ADDRESS = new URL('https://here.example/labs/file.bin');
const { signal } = new AbortController();

function answer(response: Response): void {
  vi.stubGlobal('fetch', async () => response);
}

afterEach(() => vi.unstubAllGlobals());

it('gives what came, with its type', async () => {
  answer(new Response('a lab', { headers: { 'content-type': 'text/html' } }));
  const blob = await fetchLabFile(ADDRESS, 5, signal);
  expect([await blob.text(), blob.type]).toEqual(['a lab', 'text/html']);
});

it('gives up a file that is too large where it is, and does not read on', async () => {
  let given = 0;
  let cancelled = false;
  const endless = new ReadableStream({
    pull: (controller) => {
      given++;
      controller.enqueue(new Uint8Array(1024));
    },
    cancel: () => {
      cancelled = true;
    },
  });
  answer(new Response(endless));
  const expected = '/labs/file.bin is too large: a lab’s file has at most 4 KB here.';
  await expect(fetchLabFile(ADDRESS, 4096, signal)).rejects.toThrow(expected);
  expect(cancelled).toBe(true);
  expect(given).toBeLessThan(8);
});

it('says what a server answered, and that it is away', async () => {
  answer(new Response('', { status: 404 }));
  await expect(fetchLabFile(ADDRESS, 5, signal)).rejects.toThrow('the server answered 404');
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no')));
  await expect(fetchLabFile(ADDRESS, 5, signal)).rejects.toThrow('the server is away');
});
