/**
 * What the translator emits, as text: for each file `golden/NAME.txt` of guest assembly the region
 * and its WebAssembly as `NAME.wat` beside it. `npm run golden -- --update` writes those anew; read
 * the difference before it is committed.
 *
 * The region begins at the label `entry`, or at the first instruction. Comments of the form
 * `# name: value` set: `fusedMultiplyAdd` (yes), `tailCalls` (no), `translated` (page offset of another region).
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { assemble } from '../../src/isa/assemble.ts';
import { INSTRUCTIONS } from '../../src/isa/table.ts';
import { type EngineFeatures, engineFeatures } from '../../src/translator/features.ts';
import { findRegion, type Region, successors } from '../../src/translator/region.ts';
import { components, graphOf, isCycle, makeReducible } from '../../src/translator/structure.ts';
import { describeRegion, guestText } from '../../src/translator/text.ts';

const folder = new URL('golden/', import.meta.url);
const BASE = 0x80200000n;
const PAGE = 4096;
const LEAST: EngineFeatures = { tailCalls: false, fusedMultiplyAdd: false };

interface Case {
  readonly name: string;
  readonly region: Region;
  readonly features: EngineFeatures;
}

function read(name: string): Case {
  const source = readFileSync(new URL(`${name}.txt`, folder), 'utf8');
  const setting = (key: string) => new RegExp(`^# ${key}: (\\S+)$`, 'm').exec(source)?.[1];
  const { bytes, symbols } = assemble(source, { base: BASE });
  const page = new Uint8Array(PAGE);
  page.set(bytes.subarray(0, PAGE));
  const translated = Number(setting('translated') ?? -1);
  const entry = Number((symbols.get('entry') ?? BASE) - BASE);
  return {
    name,
    region: findRegion(new DataView(page.buffer), entry, (offset) => offset === translated),
    features: {
      tailCalls: setting('tailCalls') !== 'no',
      fusedMultiplyAdd: setting('fusedMultiplyAdd') === 'yes',
    },
  };
}

const cases = readdirSync(folder)
  .filter((file) => file.endsWith('.txt'))
  .map((file) => read(basename(file, '.txt')));

/** Where the hart's fields lie is no matter of the translator: their names are enough. */
const withoutPlaces = (text: string) => text.replace(/offset=\d+ (?=\(;)/g, 'offset=');

describe('what is emitted', () => {
  test.each(cases)('$name', async ({ name, region, features }) => {
    const { module, text } = describeRegion(region, features, BASE);
    // An engine without relaxed SIMD is never given such code.
    if (!features.fusedMultiplyAdd || engineFeatures().fusedMultiplyAdd) {
      expect(WebAssembly.validate(module.bytes)).toBe(true);
    }
    const guest = guestText(region, BASE).trimEnd().replace(/^/gm, ';; ');
    await expect(`${guest}\n${withoutPlaces(text)}`).toMatchFileSnapshot(
      new URL(`${name}.wat`, folder).pathname,
    );
  });

  test('no block twice: code does not grow with the number of ways to it', () => {
    const { bytes } = assemble('beqz a0, . + 4\n'.repeat(40), { base: BASE });
    const page = new Uint8Array(PAGE);
    page.set(bytes);
    const region = findRegion(new DataView(page.buffer), 0, () => false);
    const { text } = describeRegion(region, LEAST, BASE);
    expect(text.match(/;; \w+ {2}beqz/g)).toHaveLength(40);
  });

  test('each instruction of a program is emitted once', () => {
    for (const { name, region } of cases) {
      const { text } = describeRegion(region, LEAST, BASE);
      const emitted = [...text.matchAll(/;; ([0-9a-f]+) {2}/g)].map(([, address]) => address);
      expect(emitted.sort(), name).toEqual([...new Set(emitted)]);
      expect(emitted, name).toHaveLength(region.instructions);
    }
  });

  test('each expected text has its program', () => {
    for (const file of readdirSync(folder)) {
      if (file.endsWith('.wat')) {
        expect(existsSync(new URL(file.replace(/wat$/, 'txt'), folder)), file).toBe(true);
      }
    }
  });
});

describe('what the programs cover', () => {
  const blocks = cases.flatMap(({ region }) => [...region.blocks.values()]);
  const rows = blocks.flatMap(({ instructions }) => instructions.map(({ row }) => row));

  test('each kind of action', () => {
    const all = new Set(INSTRUCTIONS.map(({ action }) => action.kind));
    expect(new Set(rows.map(({ action }) => action.kind))).toEqual(all);
  });

  test('each kind of load and size of store', () => {
    const kinds = (list: typeof INSTRUCTIONS) =>
      new Set(
        list.flatMap(({ action }) =>
          action.kind === 'load' ? action.load : action.kind === 'store' ? action.size : [],
        ),
      );
    expect(kinds(rows)).toEqual(kinds(INSTRUCTIONS));
  });

  test('each end of a block', () => {
    const kinds: Record<(typeof blocks)[number]['end']['kind'], true> = {
      branch: true,
      goto: true,
      indirect: true,
      leave: true,
    };
    expect(new Set(blocks.map(({ end }) => end.kind))).toEqual(new Set(Object.keys(kinds)));
  });

  test('each shape is what its name says', () => {
    const shapes = Object.fromEntries(
      cases
        .filter(({ name }) => name.startsWith('shape-'))
        .map(({ name, region }) => [name.slice('shape-'.length), shapeOf(region)]),
    );
    const plain = { blocks: 1, entries: 1, depth: 0, dispatchers: 0 };
    expect(shapes).toEqual({
      straight: plain,
      'branch-to-next': { ...plain, blocks: 2 },
      'if-else': { ...plain, blocks: 4 },
      loop: { ...plain, blocks: 2, depth: 1 },
      'nested-loop': { ...plain, blocks: 4, depth: 2 },
      irreducible: { ...plain, blocks: 4, depth: 1, dispatchers: 1 },
      call: { ...plain, blocks: 2, entries: 2 },
      'call-without-tail-calls': { ...plain, blocks: 2, entries: 2 },
      indirect: { ...plain, blocks: 2, entries: 2 },
      'page-end': plain,
      'page-leave': { ...plain, blocks: 2 },
      interpreter: { ...plain, blocks: 3, entries: 3 },
      entries: { ...plain, blocks: 6, entries: 4 },
    });
  });
});

/** Numbers that tell shapes of regions apart. */
function shapeOf(region: Region) {
  const starts = [...region.blocks.keys()];
  const blocks = [...region.blocks.values()];
  const entries = blocks.filter(({ entry }) => entry);
  const node = (offset: number) => starts.indexOf(offset) + 1;
  const graph = graphOf([
    entries.map(({ start }) => node(start)),
    ...blocks.map((block) => successors(region, block).map(node)),
  ]);
  makeReducible(graph);
  /** How deep cycles lie in each other: without its header a cycle has only inner ones. */
  const depth = (within: ReadonlySet<number>): number =>
    Math.max(
      0,
      ...components(graph, within)
        .filter((component) => isCycle(graph, component))
        .map((component) => {
          const inside = new Set(component);
          const header = component.find((to) =>
            graph.successors.some((list, from) => !inside.has(from) && list.includes(to)),
          );
          inside.delete(header ?? 0);
          return 1 + depth(inside);
        }),
    );
  return {
    blocks: blocks.length,
    entries: entries.length,
    depth: depth(new Set(graph.successors.keys())),
    dispatchers: graph.dispatchers.size,
  };
}
