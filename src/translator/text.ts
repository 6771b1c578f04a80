/**
 * What the translator makes of a region, as text: the module that it would install, with the guest's
 * instructions as comments, registers by their names, labels by the page offset of their block. And
 * the region's guest code by itself. For tests and for people; relies on notes that the emitter
 * takes while it writes.
 */
import { HART_FIELDS, hartBase } from '../core/layout.ts';
import { encode } from '../isa/codec.ts';
import { disassemble } from '../isa/disassemble.ts';
import { F_NAMES, X_NAMES } from '../isa/registers.ts';
import type { EmittedRegion } from './emit-region.ts';
import type { EngineFeatures } from './features.ts';
import { Local } from './frame.ts';
import { buildModule, type RegionModule } from './module.ts';
import type { Region, RegionInstruction, Terminator } from './region.ts';
import { type FunctionNotes, moduleText } from './wasm-text.ts';

const hex = (value: number | bigint): string => value.toString(16);

/** One instruction as `80200abc  ld a0, 8(sp)`. */
function instructionText({ row, operands, offset }: RegionInstruction, base: bigint): string {
  const address = base + BigInt(offset);
  return `${hex(address)}  ${disassemble(encode(row, operands), address)}`;
}

/** The guest's code of a region, block by block. `base`: address of the page. */
export function guestText(region: Region, base: bigint): string {
  return [...region.blocks.values()]
    .map(({ start, instructions, end, entry }) => {
      const title = `${hex(base + BigInt(start))}${entry ? ' (entry)' : ''}:`;
      const code = instructions.map((instruction) => `  ${instructionText(instruction, base)}`);
      return [title, ...code, `  → ${terminatorText(end, base)}`].join('\n');
    })
    .join('\n')
    .concat('\n');
}

function terminatorText(end: Terminator, base: bigint): string {
  const to = (offset: number): string => hex(base + BigInt(offset));
  switch (end.kind) {
    case 'branch':
      return `${to(end.taken)} or ${to(end.next)}`;
    case 'goto':
      return to(end.target);
    case 'indirect':
      return 'an address known at run time';
    case 'leave':
      return `the interpreter at ${to(end.at)}`;
  }
}

const fields = new Map<number, string>();
for (const { name, type, count, offset } of HART_FIELDS) {
  const size = type === 'u64' ? 8 : 4;
  for (let i = 0; i < count; i++) {
    const element = name === 'x' ? X_NAMES[i] : name === 'f' ? F_NAMES[i] : `${name}[${i}]`;
    fields.set(hartBase(0) + offset + i * size, count > 1 ? (element ?? name) : name);
  }
}

/** Names the hart's field that a fixed place of memory is in. */
function fieldAt(offset: number): string | undefined {
  const field = fields.get(offset);
  if (field !== undefined) return field;
  // The emitter also looks at a field's second byte.
  const before = fields.get(offset - 1);
  return before && `${before} + 1`;
}

const LOCALS = Object.entries(Local).filter(([name]) => name !== 'firstRegister');

function notesOf({ notes }: EmittedRegion, region: Region, base: bigint): FunctionNotes {
  const locals = new Map<number, string>(LOCALS.map(([name, index]) => [index, name]));
  for (const [x, local] of notes.x) locals.set(local, X_NAMES[x] ?? `x${x}`);
  for (const [f, local] of notes.f) locals.set(local, F_NAMES[f] ?? `f${f}`);
  const starts = [...region.blocks.keys()];
  const labelText = (label: number | string): string | undefined => {
    if (label === 'if') return undefined;
    if (typeof label === 'string') return label.replaceAll(' ', '_');
    const start = starts[label - 1];
    return start === undefined ? `dispatch${label}` : `at_${hex(start)}`;
  };
  const labels = new Map<number, string>();
  for (const [position, label] of notes.labels) {
    const text = labelText(label);
    if (text !== undefined) labels.set(notes.codeAt + position, text);
  }
  const comments = new Map<number, string[]>();
  for (const [position, instruction] of notes.instructions) {
    const at = notes.codeAt + position;
    comments.set(at, [...(comments.get(at) ?? []), instructionText(instruction, base)]);
  }
  return { locals, labels, comments };
}

/** The module of one region, as bytes and as text. `base`: address at which the page is mapped. */
export function describeRegion(
  region: Region,
  features: EngineFeatures,
  base: bigint,
): { readonly module: RegionModule; readonly text: string } {
  const module = buildModule([region], { shared: false, features, linkage: 'exports' });
  const text = moduleText(module.bytes, {
    functions: module.regions.map((emitted) => notesOf(emitted, region, base)),
    field: fieldAt,
  });
  return { module, text };
}
