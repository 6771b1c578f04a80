/** The page's first scripts stay small: terminal and guests come later. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@playwright/test';

const LIMIT_KB = 250;

test(`the first scripts are at most ${LIMIT_KB} KB, compressed`, () => {
  const site = resolve(process.env.TABVISOR_SITE ?? 'dist');
  const html = readFileSync(join(site, 'index.html'), 'utf8');
  const scripts = [...html.matchAll(/(?:src|href)="\.?\/?([^"]+\.js)"/g)].map(
    (match) => match[1] ?? '',
  );
  expect(scripts.length).toBeGreaterThan(0);
  const sizes = scripts.map((name) => gzipSync(readFileSync(join(site, name))).length);
  const kilobytes = sizes.reduce((sum, size) => sum + size, 0) / 1000;
  console.log(`    first scripts: ${kilobytes.toFixed(0)} KB compressed`);
  expect(kilobytes).toBeLessThanOrEqual(LIMIT_KB);
});
