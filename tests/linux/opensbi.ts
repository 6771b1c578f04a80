/** OpenSBI of Debian trixie, kept in .cache/opensbi: firmware to start the machine in M-mode with. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readDeb } from '../../tools/lib/deb.mjs';
import { debianPackages } from '../../tools/lib/debian.mjs';

const folder = fileURLToPath(new URL('../../.cache/opensbi', import.meta.url));

/** The path of a firmware file for generic machines. */
export async function openSbi(name: 'fw_dynamic.bin' | 'fw_jump.bin'): Promise<string> {
  const path = join(folder, name);
  if (!existsSync(path)) {
    const [opensbi] = await debianPackages('riscv64', ['opensbi'], { log: console.error });
    if (!opensbi) throw new Error('The package opensbi was not delivered.');
    mkdirSync(folder, { recursive: true });
    const wanted = /\/generic\/fw_(dynamic|jump)\.bin$/;
    for (const { path: file, data } of await readDeb(opensbi.file, (file) => wanted.test(file))) {
      writeFileSync(join(folder, basename(file)), data);
    }
  }
  return path;
}
