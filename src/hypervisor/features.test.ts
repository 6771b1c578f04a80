import { expect, test, vi } from 'vitest';
import { missingFeatures } from './features.ts';

test('what is missing is named, with who has it', () => {
  // Node has everything but a secure context and workers of a page.
  const names = () => missingFeatures().map(({ name }) => name);
  expect(names()).toContain('Web Workers');
  expect(names()).not.toContain('WebAssembly SIMD');
  expect(names()).not.toContain('DecompressionStream');
  vi.stubGlobal('DecompressionStream', undefined);
  expect(missingFeatures().find(({ name }) => name === 'DecompressionStream')?.versions).toMatch(
    /Chrome \d+, Firefox \d+, Safari \d+/,
  );
  vi.unstubAllGlobals();
});
