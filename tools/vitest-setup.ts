/** Builds the core once before any test file loads it; says so plainly when it cannot. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildCore } from './build-core.mjs';

export default async function setup(): Promise<void> {
  const root = fileURLToPath(new URL('..', import.meta.url));
  if (!existsSync(join(root, 'wasm/index.ts'))) return;
  await buildCore();
}
