import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Catalog } from './catalog.ts';
import { StorageError } from './files.ts';
import { MemoryFolder } from './testing/memory-folder.ts';

test('documents are written, listed, replaced and removed', async () => {
  const catalog = new Catalog(new MemoryFolder());
  expect(await catalog.read('a')).toBeUndefined();
  await Promise.all([
    catalog.write('a', 1),
    catalog.write('a', { b: [2] }),
    catalog.write('c', ''),
  ]);
  expect(await catalog.read('a')).toEqual({ b: [2] });
  expect(await catalog.list()).toEqual(['a', 'c']);
  await catalog.remove('a');
  expect(await catalog.read('a')).toBeUndefined();
  expect(await catalog.list()).toEqual(['c']);
  await expect(catalog.write('../x', 1)).rejects.toThrow(/no name/);
});

test('after a crash at any operation a document is the former or the new one', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ maxLength: 300 }), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 20, maxLength: 60 }),
      async (values, moment, numbers) => {
        const folder = new MemoryFolder();
        let left = moment;
        folder.medium.fault = () => {
          if (--left <= 0) throw new StorageError('failed', 'The power is off.');
        };
        const catalog = new Catalog(folder);
        let former: unknown;
        let latest: unknown;
        try {
          for (const value of values) {
            latest = value;
            await catalog.write('doc', value);
            former = value;
          }
        } catch (error) {
          if (left > 0) throw error;
        }
        let at = 0;
        const after = folder.crash(() => numbers[at++ % numbers.length]!);
        const read = await new Catalog(after).read('doc');
        expect([former, latest]).toContainEqual(read);
      },
    ),
    { numRuns: 300 },
  );
});
