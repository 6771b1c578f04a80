import { describe, expect, test } from 'vitest';
import {
  bytes,
  count,
  flag,
  list,
  oneOf,
  range,
  record,
  StateError,
  stateOf,
  stateOfParts,
  u8Array,
  u16,
  u32,
  u32Array,
  u64,
} from './state.ts';
import { checkState } from './testing/state.ts';

function component() {
  const fields = {
    small: 3,
    wide: 7n,
    on: false,
    ticks: 12,
    mode: 'idle' as 'idle' | 'busy',
    table: new Uint32Array(4),
    flags: new Uint8Array(4),
    fifo: Uint8Array.of(1, 2) as Uint8Array,
    inner: { count: 1 },
    heads: [1, 2],
  };
  const state = stateOf(2, fields, {
    small: u32,
    wide: u64,
    on: flag,
    ticks: count,
    mode: oneOf('idle', 'busy'),
    table: u32Array(4),
    flags: u8Array(4, 1),
    fifo: bytes(4),
    inner: record({ count: range(0, 9) }),
    heads: list(u16, 3, () => 5),
  });
  return { fields, state };
}

describe('state', () => {
  test('every field survives, and nothing that does not fit is applied', () => {
    checkState(() => component().state);
    checkState(() => stateOfParts(1, { a: component().state, b: component().state }));
  });

  test('the generic test notices a field that is not restored', () => {
    const forgetful = () => {
      const { state } = component();
      const other = component();
      return { ...state, save: () => state.save(), restore: other.state.restore };
    };
    expect(() => checkState(forgetful)).toThrow(/lost or changed/);
  });

  test('arrays are restored in place, so that views of them stay valid', () => {
    const { fields, state } = component();
    const { table } = fields;
    const other = component();
    other.fields.table[2] = 99;
    state.restore(other.state.save());
    expect(fields.table).toBe(table);
    expect(table[2]).toBe(99);
  });

  test('a saved state shares no memory with the component', () => {
    const { fields, state } = component();
    const saved = state.save();
    fields.table[0] = 5;
    fields.fifo[0] = 9;
    const other = component();
    other.state.restore(saved);
    expect(other.fields.table[0]).toBe(0);
    expect(other.fields.fifo[0]).toBe(1);
  });

  test('an unknown version, a key of the prototype and excess are refused by name', () => {
    const { state } = component();
    expect(() => state.restore({ version: 3, fields: {} })).toThrow(/another version/);
    const saved = state.save() as { version: number; fields: Record<string, unknown> };
    const inherited = Object.create(saved.fields) as object;
    expect(() => state.restore({ version: 2, fields: inherited })).toThrow(/lacks the field small/);
    expect(() => state.restore({ version: 2, fields: { ...saved.fields, extra: 1 } })).toThrow(
      /unknown field extra/,
    );
    expect(() =>
      state.restore({ version: 2, fields: { ...saved.fields, heads: [1, 2, 3, 4] } }),
    ).toThrow(/heads must be a list of at most 3/);
  });

  test('fields that contradict each other are refused together', () => {
    const fields = { read: 0, write: 0 };
    const state = stateOf(
      1,
      fields,
      { read: u32, write: u32 },
      {
        check: ({ read, write }) => (read > write ? 'more was read than written' : undefined),
      },
    );
    expect(() => state.restore({ version: 1, fields: { read: 2, write: 1 } })).toThrow(StateError);
    state.restore({ version: 1, fields: { read: 1, write: 2 } });
    expect(fields).toEqual({ read: 1, write: 2 });
  });

  test('a part that older states lack stays as it is, any other must be there', () => {
    const a = component();
    const b = component();
    const both = stateOfParts(1, { a: a.state, b: b.state }, { optional: ['b'] });
    const { a: onlyA } = (both.save() as { parts: Record<string, object> }).parts;
    b.fields.small = 9;
    both.restore({ version: 1, parts: { a: onlyA } });
    expect(b.fields.small).toBe(9);
    expect(() => both.restore({ version: 1, parts: { b: onlyA } })).toThrow(/lacks the field a/);
  });

  test('a failing part leaves the parts before it unchanged', () => {
    const a = component();
    const b = component();
    const both = stateOfParts(1, { a: a.state, b: b.state });
    const saved = both.save() as { parts: Record<string, { fields: Record<string, unknown> }> };
    saved.parts.a!.fields.small = 77;
    saved.parts.b!.fields.small = -1;
    expect(() => both.restore(saved)).toThrow(StateError);
    expect(a.fields.small).toBe(3);
  });
});
