/**
 * Tests that run in Node: `unit` stands beside the sources, `machine` boots whole machines. The
 * page's own tests are Playwright's (e2e). The core is built first when it is stale.
 */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    reporters: ['default'],
    globalSetup: ['tools/vitest-setup.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          environment: 'node',
          include: [
            'src/**/*.test.{ts,tsx}',
            'wasm/**/*.test.ts',
            'tools/**/*.test.ts',
            'guests/**/*.test.ts',
            'bench/**/*.test.ts',
          ],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'machine',
          environment: 'node',
          include: ['tests/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // A whole machine keeps a core busy: one file at a time leaves the other for its driver.
          fileParallelism: false,
        },
      },
    ],
  },
});
