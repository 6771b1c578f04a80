/**
 * Explicit state: a component keeps what a snapshot must hold in one plain object and describes
 * that object once, key by key; the compiler rejects a description that misses a key or names one
 * too many. From the description come saving, checking and restoring. A saved state is plain data
 * (numbers, booleans, text, bytes, arrays, records) and is treated as hostile: `restore` checks all
 * of it, the parts inside parts included, before the first byte is applied, and throws StateError
 * with nothing changed when something does not fit. `vary` serves the generic test in
 * testing/state.ts.
 */

/** A saved state or a part of one. 64-bit values are hexadecimal text, so that JSON can hold them. */
export type Saved =
  | number
  | boolean
  | string
  | Uint8Array
  | readonly Saved[]
  | { readonly [key: string]: Saved };

/** A saved state that does not fit the component: the message says which field and why. */
export class StateError extends Error {
  override name = 'StateError';
}

/** How one field is saved, checked and restored. */
export interface FieldType<T> {
  save(value: T): Saved;
  /** Checks `saved` and returns a parsed copy; throws StateError that names `where`. */
  parse(saved: unknown, where: string): T;
  /** Makes `parsed` the value of the field that now holds `current`; returns the field's new value. */
  assign(parsed: T, current: T): T;
  /** A legal value that differs from `value`: for tests. */
  vary(value: T): T;
}

export type Fields<T> = { readonly [K in keyof T]-?: FieldType<T[K]> };

/** The state of one component. */
export interface State {
  save(): Saved;
  /** Checks everything, then applies everything; throws StateError and changes nothing otherwise. */
  restore(saved: unknown): void;
  /** First half of restore: checks, and returns what applies it. */
  prepare(saved: unknown, where: string): () => void;
  /** Changes every field to another legal value: for tests. */
  vary(): void;
}

/**
 * The state of a component that keeps its fields in `target`. `version` changes when the meaning of
 * a field does. `check` sees the parsed fields together and returns a complaint when they
 * contradict each other.
 */
export function stateOf<T extends object>(
  version: number,
  target: T,
  fields: Fields<T>,
  options: { check?: (parsed: T) => string | undefined; restored?: () => void } = {},
): State {
  const type = record(fields, options.check);
  const keys = Object.keys(fields) as (keyof T & string)[];
  const state: State = {
    save() {
      return { version, fields: type.save(target) };
    },
    prepare(saved, where) {
      if (!isRecord(saved)) throw new StateError(`${where} is not a saved state.`);
      if (saved.version !== version) {
        throw new StateError(
          `${where} was saved by another version of Tabvisor (format ${String(saved.version)}, ` +
            `this one reads ${version}). Restore it with the version that saved it.`,
        );
      }
      const parsed = type.parse(saved.fields, where);
      return () => {
        for (const key of keys) target[key] = fields[key].assign(parsed[key], target[key]);
        options.restored?.();
      };
    },
    restore(saved) {
      state.prepare(saved, 'The state')();
    },
    vary() {
      for (const key of keys)
        target[key] = fields[key].assign(fields[key].vary(target[key]), target[key]);
    },
  };
  return state;
}

/**
 * The state of a component that consists of others, by name. `optional` are parts that older states
 * lack: restoring such a state leaves them as they are.
 */
export function stateOfParts(
  version: number,
  parts: Readonly<Record<string, State>>,
  options: { restored?: () => void; optional?: readonly string[] } = {},
): State {
  const names = Object.keys(parts);
  const state: State = {
    save() {
      return {
        version,
        parts: Object.fromEntries(names.map((name) => [name, parts[name]!.save()])),
      };
    },
    prepare(saved, where) {
      if (!isRecord(saved) || saved.version !== version || !isRecord(saved.parts)) {
        throw new StateError(`${where} is not a saved state of version ${version}.`);
      }
      const partsSaved = saved.parts;
      const absent = (options.optional ?? []).filter((name) => !Object.hasOwn(partsSaved, name));
      const present = names.filter((name) => !absent.includes(name));
      exactKeys(partsSaved, present, where);
      const apply = present.map((name) =>
        parts[name]!.prepare(partsSaved[name], `${where}.${name}`),
      );
      return () => {
        for (const one of apply) one();
        options.restored?.();
      };
    },
    restore(saved) {
      state.prepare(saved, 'The state')();
    },
    vary() {
      for (const name of names) parts[name]!.vary();
    },
  };
  return state;
}

/** State of a component that holds nothing. */
export const NO_STATE: State = stateOf(1, {}, {});

function integer(kind: string, minimum: number, maximum: number): FieldType<number> {
  return {
    save: (value) => value,
    parse(saved, where) {
      if (!Number.isInteger(saved) || (saved as number) < minimum || (saved as number) > maximum) {
        throw new StateError(`${where} must be ${kind}.`);
      }
      return (saved as number) + 0;
    },
    assign: (parsed) => parsed,
    vary: (value) => (value < maximum ? value + 1 : minimum),
  };
}

export const u8 = integer('an unsigned 8-bit number', 0, 0xff);
export const u16 = integer('an unsigned 16-bit number', 0, 0xffff);
export const u32 = integer('an unsigned 32-bit number', 0, 0xffff_ffff);
/** A count or a time in whole units, exact in a number. */
export const count = integer('a whole number from 0 to 2^53 - 1', 0, Number.MAX_SAFE_INTEGER);

/** A whole number from `minimum` to `maximum`. */
export function range(minimum: number, maximum: number): FieldType<number> {
  return integer(`a whole number from ${minimum} to ${maximum}`, minimum, maximum);
}

export const flag: FieldType<boolean> = {
  save: (value) => value,
  parse(saved, where) {
    if (typeof saved !== 'boolean') throw new StateError(`${where} must be true or false.`);
    return saved;
  },
  assign: (parsed) => parsed,
  vary: (value) => !value,
};

export const u64: FieldType<bigint> = {
  save: (value) => `0x${value.toString(16)}`,
  parse(saved, where) {
    if (typeof saved !== 'string' || !/^0x[0-9a-f]{1,16}$/.test(saved)) {
      throw new StateError(`${where} must be an unsigned 64-bit number in hexadecimal.`);
    }
    return BigInt(saved);
  },
  assign: (parsed) => parsed,
  vary: (value) => BigInt.asUintN(64, value + 0x1_0000_0001n),
};

/** One of a few texts. */
export function oneOf<T extends string>(...values: readonly T[]): FieldType<T> {
  return {
    save: (value) => value,
    parse(saved, where) {
      const found = values.find((value) => value === saved);
      if (found === undefined)
        throw new StateError(`${where} must be one of ${values.join(', ')}.`);
      return found;
    },
    assign: (parsed) => parsed,
    vary: (value) => values[(values.indexOf(value) + 1) % values.length]!,
  };
}

/** One of a few numbers. */
export function choice<T extends number>(values: readonly T[]): FieldType<T> {
  return {
    save: (value) => value,
    parse(saved, where) {
      const found = values.find((value) => value === saved);
      if (found === undefined)
        throw new StateError(`${where} must be one of ${values.join(', ')}.`);
      return found;
    },
    assign: (parsed) => parsed,
    vary: (value) => values[(values.indexOf(value) + 1) % values.length]!,
  };
}

type FixedArray = Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/** A typed array whose length never changes; restored in place, so views of it stay valid. */
function fixedArray<T extends FixedArray>(
  make: (buffer: ArrayBuffer) => T,
  width: number,
  length: number,
  limit: number,
): FieldType<T> {
  return {
    save: (value) => new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice(),
    parse(saved, where) {
      if (!(saved instanceof Uint8Array) || saved.length !== length * width) {
        throw new StateError(`${where} must be ${length} numbers of ${width} bytes.`);
      }
      const parsed = make(saved.slice().buffer);
      if (parsed.some((element) => element > limit)) {
        throw new StateError(`${where} must not hold a number above ${limit}.`);
      }
      return parsed;
    },
    assign(parsed, current) {
      current.set(parsed);
      return current;
    },
    vary(value) {
      const other = make(new Uint8Array(length * width).buffer);
      for (let i = 0; i < length; i++) other[i] = value[i]! < limit ? value[i]! + 1 : 0;
      return other;
    },
  };
}

/** `length` bytes, each at most `limit`. */
export function u8Array(length: number, limit = 0xff): FieldType<Uint8Array<ArrayBuffer>> {
  return fixedArray((buffer) => new Uint8Array(buffer), 1, length, limit);
}

/** `length` unsigned 32-bit numbers, each at most `limit`. */
export function u32Array(length: number, limit = 0xffff_ffff): FieldType<Uint32Array<ArrayBuffer>> {
  return fixedArray((buffer) => new Uint32Array(buffer), 4, length, limit);
}

/** Bytes, at most `limit` of them. */
export function bytes(limit: number): FieldType<Uint8Array> {
  return {
    save: (value) => value.slice(),
    parse(saved, where) {
      if (!(saved instanceof Uint8Array) || saved.length > limit) {
        throw new StateError(`${where} must be at most ${limit} bytes.`);
      }
      return saved.slice();
    },
    assign: (parsed) => parsed,
    vary: (value) => (value.length < limit ? Uint8Array.of(...value, 1) : value.slice(1)),
  };
}

/** Text of at most `limit` UTF-16 units. */
export function text(limit: number): FieldType<string> {
  return {
    save: (value) => value,
    parse(saved, where) {
      if (typeof saved !== 'string' || saved.length > limit) {
        throw new StateError(`${where} must be text of at most ${limit} characters.`);
      }
      return saved;
    },
    assign: (parsed) => parsed,
    vary: (value) => (value.length < limit ? `${value}x` : value.slice(1)),
  };
}

/** A list of at most `limit` values of one type. */
export function list<T>(type: FieldType<T>, limit: number, example: () => T): FieldType<T[]> {
  return {
    save: (value) => value.map((element) => type.save(element)),
    parse(saved, where) {
      if (!Array.isArray(saved) || saved.length > limit) {
        throw new StateError(`${where} must be a list of at most ${limit} elements.`);
      }
      return Array.from(saved, (element, i) => type.parse(element, `${where}[${i}]`));
    },
    assign: (parsed) => parsed,
    vary: (value) =>
      value.length < limit ? [...value.map((v) => type.vary(v)), example()] : value.slice(1),
  };
}

/** A record of fields inside a field. */
export function record<T extends object>(
  fields: Fields<T>,
  check?: (parsed: T) => string | undefined,
): FieldType<T> {
  const keys = Object.keys(fields) as (keyof T & string)[];
  return {
    save: (value) => Object.fromEntries(keys.map((key) => [key, fields[key].save(value[key])])),
    parse(saved, where) {
      if (!isRecord(saved)) throw new StateError(`${where} must be a record.`);
      exactKeys(saved, keys, where);
      const parsed = {} as T;
      for (const key of keys) parsed[key] = fields[key].parse(saved[key], `${where}.${key}`);
      const complaint = check?.(parsed);
      if (complaint !== undefined)
        throw new StateError(`${where} contradicts itself: ${complaint}.`);
      return parsed;
    },
    assign(parsed, current) {
      for (const key of keys) current[key] = fields[key].assign(parsed[key], current[key]);
      return current;
    },
    vary(value) {
      const other = {} as T;
      for (const key of keys) other[key] = fields[key].vary(value[key]);
      return other;
    },
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function exactKeys(saved: Record<string, unknown>, keys: readonly string[], where: string): void {
  for (const key of keys) {
    if (!Object.hasOwn(saved, key)) throw new StateError(`${where} lacks the field ${key}.`);
  }
  const extra = Object.keys(saved).find((key) => !keys.includes(key));
  if (extra !== undefined) throw new StateError(`${where} holds the unknown field ${extra}.`);
}
