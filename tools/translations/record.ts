/**
 * Makes build/translations.wasm and build/translations-shared.wasm: boots the template `micro`, types
 * what people commonly do first, and puts the regions that got hot into a library for either kind
 * of memory (src/translator/library.ts).
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { nodeHost } from '../../src/cli/node-host.ts';
import { loadCore, loadTemplate } from '../../src/cli/repository.ts';
import { Machine } from '../../src/machine/machine.ts';
import { engineFeatures } from '../../src/translator/features.ts';
import { describeRegions, type LibraryEntry } from '../../src/translator/library.ts';
import { buildModule } from '../../src/translator/module.ts';

const TEMPLATE = 'micro';
const MEMORY = 256 << 20;
/** Jumps to an address after which it is kept: below the translator's own threshold, for guests differ. */
const THRESHOLD = 4000;
/** What follows the prompt; the last line's output shows that all was done. */
const SESSION = [
  'i=0; while [ $i -lt 60 ]; do /bin/busybox true; i=$((i+1)); done',
  'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done',
  'ls -l / /bin >/dev/null; ps >/dev/null; dmesg >/dev/null; cat /proc/cpuinfo >/dev/null',
  'find / -xdev | sort | wc -l >/dev/null; mount >/dev/null; df >/dev/null',
  'echo session $((40+2)) done',
];
const PROMPT = 'root@';
const DONE = 'session 42 done';
const TIMEOUT_MS = 120_000;

async function record(): Promise<LibraryEntry[]> {
  const { manifest, kernel, initrd } = await loadTemplate(TEMPLATE);
  const entries: LibraryEntry[] = [];
  const machine = Machine.create(
    {
      memory: MEMORY,
      boot: { kind: 'linux', kernel, initrd, append: manifest.append },
      core: await loadCore(),
      shared: false,
      translator: { threshold: THRESHOLD, record: (entry) => entries.push(entry) },
    },
    nodeHost([]),
  );
  let text = '';
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${TEMPLATE} did not boot in time.`)),
      TIMEOUT_MS,
    );
    machine.onState(({ kind, reason }) => {
      if (kind === 'crashed' || kind === 'off') reject(new Error(reason ?? 'The guest ended.'));
    });
    machine.onConsole((data) => {
      const before = text;
      text += new TextDecoder().decode(data);
      if (!before.includes(PROMPT) && text.includes(PROMPT)) {
        machine.consoleInput(new TextEncoder().encode(`${SESSION.join('\r')}\r`));
      }
      if (!text.includes(DONE)) return;
      clearTimeout(timer);
      resolve();
    });
    machine.start();
  });
  machine.destroy();
  return entries;
}

const entries = await record();
await mkdir('build', { recursive: true });
for (const shared of [false, true]) {
  const { bytes } = buildModule(
    entries.map(({ region }) => region),
    // What every engine has: the library is made here and used elsewhere.
    { shared, linkage: 'table', features: { ...engineFeatures(), fusedMultiplyAdd: false } },
  );
  const file = shared ? 'build/translations-shared.wasm' : 'build/translations.wasm';
  await writeFile(file, Buffer.concat([bytes, describeRegions(entries).view]));
}
console.log(`Translated ${entries.length} regions ahead of time.`);
process.exit(0);
