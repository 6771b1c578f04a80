import { expect, test, vi } from 'vitest';
import { missingFeatures, slowFeatures } from './features.ts';

test('what is missing is named, with who has it', () => {
  // Node has everything but a secure context and workers of a page.
  const names = () => missingFeatures().map(({ name }) => name);
  expect(names()).toContain('Web Workers');
  expect(names()).not.toContain('WebAssembly with 64-bit integers');
  expect(names()).not.toContain('DecompressionStream');
  vi.stubGlobal('DecompressionStream', undefined);
  expect(missingFeatures().find(({ name }) => name === 'DecompressionStream')?.versions).toMatch(
    /Chrome \d+, Firefox \d+, Safari \d+/,
  );
  vi.unstubAllGlobals();
});

test('what only makes guests slower is told apart from what they need', () => {
  const validate = vi.spyOn(WebAssembly, 'validate').mockReturnValue(false);
  expect(slowFeatures().map(({ name }) => name)).toEqual([
    'WebAssembly tail calls',
    'WebAssembly relaxed SIMD',
  ]);
  expect(
    missingFeatures()
      .map(({ name }) => name)
      .join(),
  ).not.toContain('WebAssembly');
  validate.mockReturnValue(true);
  expect(slowFeatures()).toEqual([]);
  validate.mockRestore();
});
