/**
 * Completes package-lock.json: `node tools/complete-lock.mjs`. Packages with native parts name one
 * optional package for each platform; a registry mirror that lacks those of other platforms makes
 * npm write a lock file without them, which `npm ci` then refuses. The missing entries follow from
 * what the lock file holds: the exact version, and the platform in the name.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(new URL('../package-lock.json', import.meta.url));
const systems = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'];
const processors = {
  arm64: /arm64/,
  arm: /arm-|-armv?7?$|arm-?\w*eabi/,
  ia32: /ia32/,
  loong64: /loong64/,
  ppc64: /ppc64/,
  riscv64: /riscv64/,
  s390x: /s390x/,
  wasm32: /wasm32/,
  x64: /x64/,
};

/** @param {string} name */
function platform(name) {
  const os = systems.filter((system) => name.includes(system));
  const cpu = Object.entries(processors).find(([, pattern]) => pattern.test(name))?.[0];
  const libc = name.includes('musl') ? 'musl' : /gnu/.test(name) ? 'glibc' : undefined;
  return {
    ...(cpu && { cpu: [cpu] }),
    ...(libc && { libc: [libc] }),
    ...(os.length > 0 && { os }),
  };
}

/** @type {{ packages: Record<string, Record<string, any>> }} */
const lock = JSON.parse(readFileSync(file, 'utf8'));
let added = 0;
for (const [owner, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    // Beside its owner, as npm places a version that only one package wants.
    const path = `${owner.slice(0, owner.lastIndexOf('node_modules/'))}node_modules/${name}`;
    if (lock.packages[path] || !/^\d/.test(version)) continue;
    const where = platform(name);
    if (!where.cpu && !where.os) continue; // no platform's package
    lock.packages[path] = { version, ...where, ...(entry.dev && { dev: true }), optional: true };
    added += 1;
  }
}
const [rootEntry, ...others] = Object.entries(lock.packages);
lock.packages = Object.fromEntries([
  ...(rootEntry ? [rootEntry] : []),
  ...others.sort(([a], [b]) => (a < b ? -1 : 1)),
]);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${added} entries added for other platforms.`);
