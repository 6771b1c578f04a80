import { describe, expect, test } from 'vitest';
import { encodeSaved } from './encode.ts';
import type { PageRun } from './snapshot.ts';
import { parseSnapshotIndex, type SnapshotIndex, storedName } from './template-index.ts';
import { templateSource } from './template-snapshot.ts';

const PAGE = 4096;
const sha = (digit: string) => digit.repeat(64);

/** RAM of 64 pages, of which 12 are there, in three pieces. */
const good: SnapshotIndex = {
  format: 1,
  token: 'ab'.repeat(16),
  memory: 64 * PAGE,
  state: { sha256: sha('0'), size: 10, bytes: 20 },
  pieces: [
    { sha256: sha('1'), size: 100, pages: [9, 1, 3, 2] },
    { sha256: sha('2'), size: 100, pages: [20, 5] },
    { sha256: sha('3'), size: 100, pages: [60, 4] },
  ],
  first: 1,
};

describe('the index of a template’s snapshot', () => {
  test('is taken as it is; files are named by what they hold', () => {
    expect(parseSnapshotIndex(JSON.stringify(good), 'index.json')).toEqual(good);
    expect(storedName(good.state)).toBe(`${sha('0')}.gz`);
  });

  test.each<[string, unknown]>([
    ['not JSON', '{'],
    ['another format', { ...good, format: 2 }],
    ['a path for a name', { ...good, state: { ...good.state, sha256: '../../etc/passwd' } }],
    ['a page beyond RAM', { ...good, pieces: [{ ...good.pieces[0], pages: [62, 3] }] }],
    ['a page twice', { ...good, pieces: [good.pieces[0], { ...good.pieces[1], pages: [4, 1] }] }],
    ['half a run', { ...good, pieces: [{ ...good.pieces[0], pages: [1, 2, 3] }] }],
    [
      'a piece too large',
      { ...good, memory: 1 << 30, pieces: [{ ...good.pieces[0], pages: [0, 257] }] },
    ],
    ['a huge RAM', { ...good, memory: 2 ** 40 }],
    ['more than there is', { ...good, more: 1 }],
  ])('with %s is refused in one sentence', (_, index) => {
    const text = typeof index === 'string' ? index : JSON.stringify(index);
    expect(() => parseSnapshotIndex(text, 'index.json')).toThrow(
      /^index\.json is not the index of a template's snapshot: [^\n]{3,220}\.$/,
    );
  });
});

describe('the pages of a template', () => {
  /** Each page holds its own number. */
  const contents = (piece: number) => {
    const { pages } = good.pieces[piece]!;
    const bytes: number[] = [];
    for (let i = 0; i < pages.length; i += 2) {
      for (let page = pages[i]!; page < pages[i]! + pages[i + 1]!; page++) {
        bytes.push(...new Array<number>(PAGE).fill(page));
      }
    }
    return Uint8Array.from(bytes);
  };
  const state = encodeSaved({ a: 1 });
  const numbers = (runs: readonly PageRun[]) =>
    runs.flatMap(({ first, bytes }) =>
      Array.from({ length: bytes.length / PAGE }, (_, i) => {
        expect(new Set(bytes.subarray(i * PAGE, (i + 1) * PAGE))).toEqual(new Set([first + i]));
        return first + i;
      }),
    );

  test('come in the order of the pieces, each piece loaded once', async () => {
    const loaded: number[] = [];
    const source = templateSource(good, state, async (piece) => {
      loaded.push(piece);
      return contents(piece);
    });
    expect(source.image).toEqual({ memory: 64 * PAGE, token: good.token, state: { a: 1 } });
    expect([...source.held]).toEqual([9, 3, 4, 20, 21, 22, 23, 24, 60, 61, 62, 63]);
    // One that is asked for brings its whole piece, which then does not come again.
    expect(numbers(await source.fetch([61, 62]))).toEqual([60, 61, 62, 63]);
    const streamed: PageRun[] = [];
    for await (const run of source.pages()) streamed.push(run);
    expect(numbers(streamed)).toEqual([9, 3, 4, 20, 21, 22, 23, 24]);
    expect(loaded).toEqual([2, 0, 1]);
  });

  test('that could not be had are asked for again', async () => {
    let fails = true;
    const source = templateSource(good, state, async (piece) => {
      if (fails) throw new Error('The network is away.');
      return contents(piece);
    });
    await expect(source.fetch([20])).rejects.toThrow('network');
    fails = false;
    expect(numbers(await source.fetch([20]))).toEqual([20, 21, 22, 23, 24]);
  });

  test('of a wrong length are refused', async () => {
    const source = templateSource(good, state, async () => new Uint8Array(PAGE));
    await expect(source.fetch([60])).rejects.toThrow(/too few/);
  });
});
