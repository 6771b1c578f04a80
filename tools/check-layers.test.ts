/** The layer check must see violations: planted ones are caught, and a clean tree passes. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { checkLayers } from './check-layers.mjs';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function tree(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'layers-'));
  folders.push(folder);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

test('imports that go downwards pass, and the modules are counted', async () => {
  const folder = tree({
    'src/isa/table.ts': 'export const rows: number = 1;',
    'src/machine/run.ts': "import { rows } from '../isa/table.ts';\nexport const run = rows;",
    'src/cli/main.ts': "import { run } from '../machine/run.ts';\nconsole.log(run);",
  });
  expect(await checkLayers(folder)).toEqual({ modules: 3, violations: [] });
});

test('types may be of each other, and a script that is fetched may use what fetched it', async () => {
  const folder = tree({
    'src/ui/a.ts': "import type { B } from './b.ts';\nexport type A = B;\nvoid import('./c.ts');",
    'src/ui/b.ts': "import { type A } from './a.ts';\nexport type B = A | 1;",
    'src/ui/c.ts': "import './a.ts';",
  });
  expect((await checkLayers(folder)).violations).toEqual([]);
});

test.each([
  ['layer-machine', 'src/machine/a.ts', "import '../ui/b.ts';", 'src/ui/b.ts'],
  [
    'layer-isa',
    'src/isa/a.ts',
    "import type { B } from '../machine/b.ts';\nexport type A = B;",
    'src/machine/b.ts',
  ],
  ['layer-cli', 'src/cli/a.ts', "import '../hypervisor/b.ts';", 'src/hypervisor/b.ts'],
  ['layer-worker', 'src/worker/a.ts', "export * from '../hypervisor/b.ts';", 'src/hypervisor/b.ts'],
  ['neutral-below', 'src/machine/a.ts', "import 'node:fs';", 'src/machine/b.ts'],
  [
    'no-node-in-page',
    'src/ui/a.tsx',
    "import { readFileSync } from 'node:fs';\nreadFileSync('');",
    'src/ui/b.ts',
  ],
  ['no-unresolvable', 'src/ui/a.tsx', "import './missing.ts';", 'src/ui/b.ts'],
  [
    'layer-ui',
    'src/ui/a.tsx',
    "import '../cli/b.ts';\nexport const A = () => <p>x</p>;",
    'src/cli/b.ts',
  ],
  ['no-cycle', 'src/ui/a.ts', "import './b.ts';", 'src/ui/b.ts'],
])('%s is caught', async (rule, file, text, other) => {
  const folder = tree({
    [file]: text,
    [other]: rule === 'no-cycle' ? "import './a.ts';\nexport type B = 1;" : 'export type B = 1;',
  });
  const { violations } = await checkLayers(folder);
  expect(violations.map((violation) => violation.rule)).toContain(rule);
});
