import { describe, expect, it } from 'vitest';
import { graphOf, makeReducible, structure } from './structure.ts';

/** What a sink wrote, as a tree that can be walked. */
type Item =
  | { readonly kind: 'loop' | 'block'; readonly label: number; readonly body: Item[] }
  | { readonly kind: 'node'; readonly node: number; readonly ways: Map<number, Item[]> }
  | { readonly kind: 'branch'; readonly label: number };

/** Structures a graph, then follows it with a random walk; gives the nodes met. */
function walk(
  successors: number[][],
  choose: (choices: number[]) => number,
  steps: number,
): number[] {
  const graph = graphOf(successors);
  makeReducible(graph);
  const stack: Item[][] = [[]];
  const top = (): Item[] => stack[stack.length - 1] ?? [];
  const open = (kind: 'loop' | 'block', label: number): void => {
    const body: Item[] = [];
    top().push({ kind, label, body });
    stack.push(body);
  };
  structure(graph, {
    loop: (node) => open('loop', node),
    block: (node) => open('block', node),
    end: () => stack.pop(),
    node: (node, go) => {
      const ways = new Map<number, Item[]>();
      top().push({ kind: 'node', node, ways });
      for (const to of graph.successors[node] ?? []) {
        const way: Item[] = [];
        ways.set(to, way);
        stack.push(way);
        go(to);
        stack.pop();
      }
    },
    branch: (label) => top().push({ kind: 'branch', label }),
  });

  const met: number[] = [];
  let goal: number | undefined;
  /** Runs items; a number: a branch to that label is under way. */
  const run = (items: readonly Item[]): number | 'done' | undefined => {
    for (const item of items) {
      if (item.kind === 'branch') return item.label;
      if (item.kind === 'node') {
        if (item.node < successors.length) {
          met.push(item.node);
          if (met.length > steps) return 'done';
          const choices = successors[item.node] ?? [];
          if (choices.length === 0) return 'done';
          goal = choose(choices);
        }
        if (goal === undefined) throw new Error('A dispatcher without a goal.');
        const via = graph.via.get(`${item.node}>${goal}`) ?? goal;
        const way = item.ways.get(via);
        if (!way) throw new Error(`No way from ${item.node} to ${goal}.`);
        const result = run(way);
        if (result === undefined) throw new Error('A way fell through.');
        return result;
      }
      for (;;) {
        const result = run(item.body);
        if (result === item.label) {
          if (item.kind === 'loop') continue;
          break;
        }
        if (result !== undefined) return result;
        break;
      }
    }
    return undefined;
  };
  run(stack[0] ?? []);
  return met;
}

function expectWalks(successors: number[][]): void {
  let seed = 12345;
  const random = (): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return seed / 2 ** 32;
  };
  for (let round = 0; round < 20; round++) {
    const chosen: number[] = [0];
    const met = walk(
      successors,
      (choices) => {
        const next = choices[Math.floor(random() * choices.length)] ?? 0;
        chosen.push(next);
        return next;
      },
      60,
    );
    expect(met).toEqual(chosen.slice(0, met.length));
    expect(met.length).toBeGreaterThan(0);
  }
}

describe('structured control flow from graphs', () => {
  it('follows a diamond, a loop and nested loops', () => {
    expectWalks([[1, 2], [3], [3], []]);
    expectWalks([[1], [2, 3], [1], []]);
    expectWalks([[1], [2, 5], [3], [2, 4], [1, 3], []]);
  });

  it('follows a cycle that is entered at two nodes', () => {
    expectWalks([[1, 2], [2], [1, 3], []]);
    expectWalks([[1, 2, 3], [2], [3], [1, 4], []]);
  });

  it('follows a node that is its own successor', () => {
    expectWalks([[1], [1, 2], []]);
    expectWalks([
      [1, 2],
      [1, 2],
      [2, 1],
    ]);
  });

  it('follows random graphs, reducible or not', () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    for (let i = 0; i < 300; i++) {
      const count = 2 + random(14);
      const successors = Array.from({ length: count }, () =>
        // Node 0 is the entry: nothing leads back to it.
        [...new Set(Array.from({ length: random(4) }, () => 1 + random(count - 1)))],
      );
      expectWalks(successors);
    }
  });
});
