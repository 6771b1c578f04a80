/** `npm run check`: every static check, one after the other; the exit code says whether all hold. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { checks } from './lib/checks.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const failed = checks.filter(({ name, command }) => {
  console.log(`\n— ${name}`);
  return spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit' }).status !== 0;
});
if (failed.length > 0) {
  console.error(`\nFailed: ${failed.map(({ name }) => name).join('; ')}.`);
  process.exit(1);
}
console.log('\nAll checks hold.');
