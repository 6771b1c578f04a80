/** `node tools/run-ts.mjs guests/make/snapshots.ts NAME…`: the snapshots that templates start from. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from '../../tools/lib/lock.mjs';
import { Plain } from '../../tools/lib/shell.mjs';
import { makeSnapshot } from './snapshot.ts';

const images = fileURLToPath(new URL('../../images', import.meta.url));

try {
  for (const name of process.argv.slice(2)) {
    const folder = join(images, name);
    if (!existsSync(folder)) throw new Plain(`There is no image ${name}. Make it first.`);
    await withLock(join(images, '.lock'), () => makeSnapshot(folder, console.log));
  }
} catch (error) {
  console.error(error instanceof Plain ? error.message : error);
  process.exitCode = 1;
}
