/**
 * The generic test of a component's state: changes every field, carries the result over to a fresh
 * component through JSON-like data, and compares; then shows that what does not fit is refused and
 * leaves the component as it was. It relies only on `State`; a difference is thrown as an Error.
 */
import { type Saved, type State, StateError } from '../state.ts';

/** Checks the state of what `make` makes: each call must give a component of its own. */
export function checkState(make: () => State): void {
  const original = make();
  const initial = original.save();
  original.vary();
  const varied = original.save();
  const same = unchanged(initial, varied, 'state');
  if (same.length > 0) throw new Error(`vary() left ${same.join(', ')} as it was.`);

  const copy = make();
  copy.restore(varied);
  const difference = firstDifference(varied, copy.save(), 'state');
  if (difference !== undefined) throw new Error(`Restoring lost or changed ${difference}.`);

  for (const [what, damaged] of damage(varied)) {
    const victim = make();
    const before = victim.save();
    let refused = false;
    try {
      victim.restore(damaged);
    } catch (error) {
      if (!(error instanceof StateError)) throw error;
      refused = true;
    }
    if (!refused) throw new Error(`A state with ${what} was accepted.`);
    const changed = firstDifference(before, victim.save(), 'state');
    if (changed !== undefined) throw new Error(`A refused state (${what}) changed ${changed}.`);
  }
}

/** Path of the first place where two saved states differ. */
export function firstDifference(a: Saved, b: Saved, where: string): string | undefined {
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    const same = a.length === b.length && a.every((byte, i) => byte === b[i]);
    return same ? undefined : where;
  }
  if (typeof a === 'object' && typeof b === 'object') {
    const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
    for (const key of keys) {
      const left = child(a, key);
      const right = child(b, key);
      if (left === undefined || right === undefined) return `${where}.${key}`;
      const found = firstDifference(left, right, `${where}.${key}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return a === b ? undefined : where;
}

/** Paths of the leaves that are equal in both, versions apart. */
function unchanged(a: Saved, b: Saved, where: string): string[] {
  if (isRecord(a) && isRecord(b)) {
    return Object.keys(a)
      .filter((key) => key !== 'version')
      .flatMap((key) => {
        const left = child(a, key);
        const right = child(b, key);
        return left === undefined || right === undefined
          ? []
          : unchanged(left, right, `${where}.${key}`);
      });
  }
  return firstDifference(a, b, where) === undefined ? [where] : [];
}

/** Copies of `saved`, each wrong in one place, with what is wrong. */
function* damage(saved: Saved): Generator<[what: string, damaged: unknown]> {
  yield ['nothing in it', undefined];
  yield ['null for a state', null];
  yield ['text for a state', 'state'];
  for (const path of records(saved, [])) {
    const name = path.join('.') || 'the root';
    for (const key of Object.keys(at(saved, path) as object)) {
      yield [`${name} lacking ${key}`, edit(saved, path, (record) => delete record[key])];
      yield [
        `a function in ${name}.${key}`,
        edit(saved, path, (record) => (record[key] = () => 1)),
      ];
      yield [`null in ${name}.${key}`, edit(saved, path, (record) => (record[key] = null))];
      yield [`-1 in ${name}.${key}`, edit(saved, path, (record) => (record[key] = -1))];
      yield [`NaN in ${name}.${key}`, edit(saved, path, (record) => (record[key] = Number.NaN))];
    }
    yield [`an unknown field in ${name}`, edit(saved, path, (record) => (record.surprise = 1))];
  }
}

function* records(saved: Saved, path: string[]): Generator<string[]> {
  if (!isRecord(saved)) return;
  // A record of saved.version and saved.fields tolerates no more than it names inside `fields`.
  if (!Object.hasOwn(saved, 'version')) yield path;
  for (const [key, value] of Object.entries(saved)) yield* records(value, [...path, key]);
}

function at(saved: unknown, path: string[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], saved);
}

function edit(
  saved: Saved,
  path: string[],
  change: (record: Record<string, unknown>) => void,
): unknown {
  const copy: unknown = clone(saved);
  change(at(copy, path) as Record<string, unknown>);
  return copy;
}

function clone(saved: Saved): unknown {
  if (saved instanceof Uint8Array) return saved.slice();
  if (Array.isArray(saved)) return saved.map((value: Saved) => clone(value));
  if (isRecord(saved)) {
    return Object.fromEntries(Object.entries(saved).map(([key, value]) => [key, clone(value)]));
  }
  return saved;
}

function isRecord(value: Saved): value is { readonly [key: string]: Saved } {
  return typeof value === 'object' && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function child(value: Saved, key: string): Saved | undefined {
  return (value as { readonly [key: string]: Saved })[key];
}
