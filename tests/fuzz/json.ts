/** JSON that is mostly valid: parts of a valid value become odd ones now and then. */
import type { Random } from './fuzzer.ts';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

function oddValue(random: Random): Json {
  const deep = (levels: number): Json => {
    let value: Json = 1;
    for (let i = 0; i < levels; i++) value = i % 2 ? [value] : { a: value };
    return value;
  };
  const odd: (() => Json)[] = [
    () => null,
    () => random.once(2),
    () => random.nasty(),
    () => -random.nasty(),
    () => random.pick([0.5, 1e308, -0, 2 ** 53, 2 ** 31, 2 ** 31 + 1]),
    () => '',
    () => random.pick(['../up', '/root', 'a//b', 'http://x/y', 'a\\b', '.hidden', 'a/../b', '%2e']),
    () => 'x'.repeat(random.below(3000)),
    () => String.fromCharCode(...Array.from({ length: 20 }, () => random.below(0x1_0000))),
    () => 'A'.repeat(64),
    () => [],
    () => ({}),
    () => deep(random.below(2000)),
    () => Array.from({ length: random.below(300) }, () => ({})),
    () => ({ size: 1, file: 'x', length: 3, constructor: null }),
  ];
  return random.pick(odd)();
}

const ODD_KEYS = ['__proto__', 'constructor', 'toString', 'length', '', '0', 'a.b', '\n', '\u202e'];

/** A copy in which each part is something else once in `n` times. */
export function mutated(value: Json, random: Random, n: number): Json {
  if (random.once(n)) return oddValue(random);
  if (Array.isArray(value)) return value.map((part) => mutated(part, random, n));
  if (value === null || typeof value !== 'object') return value;
  const entries: [string, Json][] = [];
  for (const [key, part] of Object.entries(value)) {
    if (random.once(2 * n)) continue;
    entries.push([random.once(4 * n) ? random.pick(ODD_KEYS) : key, mutated(part, random, n)]);
  }
  if (random.once(n)) entries.push([random.pick(ODD_KEYS), oddValue(random)]);
  // Not by assignment: a key __proto__ must become one of the file's own.
  return Object.fromEntries(entries);
}

export function textOf(value: Json, random: Random): string {
  const text = JSON.stringify(value);
  if (random.once(12)) return text.slice(0, random.below(text.length));
  if (random.once(12)) {
    const at = random.below(text.length);
    return text.slice(0, at) + String.fromCharCode(random.below(0x300)) + text.slice(at + 1);
  }
  if (random.once(100)) return '['.repeat(random.below(1 << 20));
  if (random.once(100)) return text.padEnd(random.below(1 << 21), ' ');
  return text;
}
