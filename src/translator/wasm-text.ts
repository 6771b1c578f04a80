/**
 * Prints a WebAssembly module as text (WebAssembly core specification, 'Text Format'): what
 * wasm-writer.ts can write, which the names in its tables are taken from. Expressions are folded;
 * control flow stands on lines of its own. Alignments are left out: translated code promises none.
 * Names and comments are the caller's. Throws on what the writer does not know.
 */
import { Op, SIMD_PREFIX, SimdOp, Type } from './wasm-writer.ts';

/** What is known of a function beyond its bytes; positions count from the body's first byte. */
export interface FunctionNotes {
  readonly locals: ReadonlyMap<number, string>;
  /** Labels of the block, loop or if that begins at a position. */
  readonly labels: ReadonlyMap<number, string>;
  /** Lines before what stands at a position. */
  readonly comments: ReadonlyMap<number, readonly string[]>;
}

export interface ModuleNotes {
  /** Of the module's own functions, in order. */
  readonly functions: readonly FunctionNotes[];
  /** What lies at a fixed place in memory. */
  readonly field: (offset: number) => string | undefined;
}

const LINE = 100;
const INDENT = '  ';
const PREFIXED = /^(i32|i64|f32|f64|v128|[if]\d\dx\d+|local|global|memory)_/;
const textName = (name: string): string => name.replace(PREFIXED, '$1.');
const namesOf = (table: Readonly<Record<string, number>>): ReadonlyMap<number, string> =>
  new Map(Object.entries(table).map(([name, code]) => [code, textName(name)]));
const NAMES = namesOf(Op);
const SIMD_NAMES = namesOf(SimdOp);
const TYPES: ReadonlyMap<number, string> = new Map(
  Object.entries(Type).map(([name, code]) => [code, name]),
);
const UNARY =
  /\.(eqz|clz|ctz|popcnt|abs|neg|sqrt|ceil|floor|trunc|nearest|splat|extract_lane|(wrap|extend|trunc|convert|demote|promote|reinterpret)\w+)$/;

/** Operands that an instruction takes and results that it leaves, by its name. */
function effect(name: string): readonly [takes: number, leaves: number] {
  if (/\.(const|get)$/.test(name)) return [0, 1];
  if (/\.set$|^(drop|br_if|br_table)$/.test(name)) return [1, 0];
  if (/\.load/.test(name) || name === 'local.tee' || UNARY.test(name)) return [1, 1];
  if (/\.store/.test(name)) return [2, 0];
  if (/^(br|return|unreachable)$/.test(name)) return [0, 0];
  if (/^select$|madd$/.test(name)) return [3, 1];
  return [2, 1];
}

interface Signature {
  readonly parameters: readonly string[];
  readonly results: readonly string[];
}

/** An instruction with the operands that stand before it. */
interface Folded {
  readonly head: string;
  readonly operands: readonly Folded[];
}

class Reader {
  readonly #view: DataView;
  at: number;
  readonly end: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
    this.end = end;
  }

  byte(): number {
    return this.#view.getUint8(this.at++);
  }

  u32(): number {
    return Number(BigInt.asUintN(32, this.#leb(false)));
  }

  signed(): bigint {
    return this.#leb(true);
  }

  #leb(signed: boolean): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte & 0x80) continue;
      return signed && byte & 0x40 ? value - (1n << (shift + 7n)) : value;
    }
  }

  float(double: boolean): number {
    const value = double
      ? this.#view.getFloat64(this.at, true)
      : this.#view.getFloat32(this.at, true);
    this.at += double ? 8 : 4;
    return value;
  }

  name(): string {
    return String.fromCharCode(...this.list(() => this.byte()));
  }

  list<T>(read: (index: number) => T): T[] {
    return Array.from({ length: this.u32() }, (_, i) => read(i));
  }
}

function typeName(code: number): string {
  return TYPES.get(code) ?? `(; type 0x${code.toString(16)} ;)`;
}

function signatureText({ parameters, results }: Signature): string {
  return (
    (parameters.length > 0 ? ` (param ${parameters.join(' ')})` : '') +
    (results.length > 0 ? ` (result ${results.join(' ')})` : '')
  );
}

/** The text of a module that has been read this far. */
class ModuleText {
  readonly lines: string[] = ['(module'];
  readonly types: Signature[] = [];
  readonly functions: { readonly name: string; readonly signature: Signature }[] = [];
  readonly globals: string[] = [];
  readonly notes: ModuleNotes;
  /** Types of the module's own functions. */
  own: readonly number[] = [];
  readonly exports = new Map<number, string>();

  constructor(notes: ModuleNotes) {
    this.notes = notes;
  }

  type(index: number): Signature {
    return this.types[index] ?? { parameters: [], results: [] };
  }

  line(text: string): void {
    this.lines.push(`${INDENT}${text}`);
  }

  section(id: number, reader: Reader, bytes: Uint8Array): void {
    switch (id) {
      case 1:
        reader.list((i) => {
          reader.byte();
          const parameters = reader.list(() => typeName(reader.byte()));
          const results = reader.list(() => typeName(reader.byte()));
          this.types.push({ parameters, results });
          this.line(`(type $t${i} (func${signatureText({ parameters, results })}))`);
        });
        return;
      case 2:
        reader.list(() => this.#import(reader));
        return;
      case 3:
        this.own = reader.list(() => reader.u32());
        return;
      case 7:
        reader.list(() => {
          const name = reader.name();
          if (reader.byte() === 0) this.exports.set(reader.u32(), name);
          else reader.u32();
        });
        return;
      case 10: {
        const imported = this.functions.length;
        for (const [i, type] of this.own.entries()) {
          const name = this.exports.get(imported + i) ?? `f${i}`;
          this.functions.push({ name, signature: this.type(type) });
        }
        reader.list((i) => {
          const size = reader.u32();
          const body = new Reader(bytes, reader.at, reader.at + size);
          reader.at += size;
          new FunctionText(this, imported + i, body, this.notes.functions[i]).print();
        });
      }
    }
  }

  #import(reader: Reader): void {
    const from = `"${reader.name()}"`;
    const name = reader.name();
    let what: string;
    switch (reader.byte()) {
      case 0: {
        const signature = this.type(reader.u32());
        this.functions.push({ name, signature });
        what = `(func $${name}${signatureText(signature)})`;
        break;
      }
      case 1: {
        reader.byte();
        const limits = limitsText(reader);
        what = `(table $${name} ${limits} funcref)`;
        break;
      }
      case 2:
        what = `(memory ${limitsText(reader)})`;
        break;
      default: {
        const type = typeName(reader.byte());
        this.globals.push(name);
        what = `(global $${name} ${reader.byte() ? `(mut ${type})` : type})`;
      }
    }
    this.line(`(import ${from} "${name}" ${what})`);
  }
}

function limitsText(reader: Reader): string {
  const flags = reader.byte();
  const least = reader.u32();
  const most = flags & 1 ? ` ${reader.u32()}` : '';
  return `${least}${most}${flags & 2 ? ' shared' : ''}`;
}

class FunctionText {
  readonly #module: ModuleText;
  readonly #index: number;
  readonly #reader: Reader;
  readonly #start: number;
  readonly #notes: FunctionNotes | undefined;
  /** Values on the stack that nothing has taken yet. */
  #pending: Folded[] = [];
  readonly #labels: (string | undefined)[] = [];

  constructor(module: ModuleText, index: number, reader: Reader, notes?: FunctionNotes) {
    this.#module = module;
    this.#index = index;
    this.#reader = reader;
    this.#start = reader.at;
    this.#notes = notes;
  }

  #local(index: number): string {
    const name = this.#notes?.locals.get(index);
    return name === undefined ? String(index) : `$${name}`;
  }

  print(): void {
    const reader = this.#reader;
    const { name, signature } = this.#module.functions[this.#index] ?? {};
    const parameters = signature?.parameters ?? [];
    const named = (kind: string, index: number, type: string) => {
      const id = this.#notes?.locals.get(index);
      return `(${kind}${id === undefined ? '' : ` $${id}`} ${type})`;
    };
    const declared = parameters.map((type, i) => named('param', i, type));
    this.#module.line(`(func $${name} (export "${name}") ${declared.join(' ')}`);
    let local = parameters.length;
    const locals: string[] = [];
    reader.list(() => {
      const count = reader.u32();
      const type = typeName(reader.byte());
      for (let i = 0; i < count; i++) locals.push(named('local', local++, type));
    });
    for (let rest = locals; rest.length > 0; ) {
      let count = rest.length;
      while (count > 1 && rest.slice(0, count).join(' ').length > LINE - 4) count--;
      this.#line(rest.slice(0, count).join(' '));
      rest = rest.slice(count);
    }
    while (reader.at < reader.end) this.#instruction();
  }

  #line(text: string, outwards = 0): void {
    const depth = Math.max(0, 2 + this.#labels.length - outwards);
    this.#module.lines.push(INDENT.repeat(depth) + text);
  }

  #instruction(): void {
    const reader = this.#reader;
    const position = reader.at - this.#start;
    for (const comment of this.#notes?.comments.get(position) ?? []) {
      this.#flush();
      this.#line(`;; ${comment}`);
    }
    const opcode = reader.byte();
    if (opcode === SIMD_PREFIX) {
      const code = reader.u32();
      const name = SIMD_NAMES.get(code);
      if (!name) throw new Error(`No name for the vector instruction 0x${code.toString(16)}.`);
      this.#plain(name, name.includes('_lane') ? ` ${reader.byte()}` : '');
      return;
    }
    const name = NAMES.get(opcode);
    if (!name) throw new Error(`No name for the WebAssembly opcode 0x${opcode.toString(16)}.`);
    switch (name) {
      case 'block':
      case 'loop':
      case 'if':
        this.#open(name, position);
        return;
      case 'else':
        this.#flush();
        this.#line('else', 1);
        return;
      case 'end':
        this.#flush();
        if (this.#labels.length === 0) this.#module.line(')');
        else {
          this.#labels.pop();
          this.#line('end');
        }
        return;
      default:
        this.#plain(name, this.#immediates(name));
    }
  }

  #open(name: string, position: number): void {
    this.#flush();
    const type = this.#reader.byte();
    const label = this.#notes?.labels.get(position);
    const result = type === Type.void ? '' : ` (result ${typeName(type)})`;
    this.#line(`${name}${label === undefined ? '' : ` $${label}`}${result}`);
    this.#labels.push(label);
  }

  /** Name of the label at a depth, where no inner one has the same. */
  #label(depth: number): string {
    const index = this.#labels.length - 1 - depth;
    const label = this.#labels[index];
    return label !== undefined && this.#labels.lastIndexOf(label) === index
      ? `$${label}`
      : String(depth);
  }

  #immediates(name: string): string {
    const reader = this.#reader;
    switch (name) {
      case 'br':
      case 'br_if':
        return ` ${this.#label(reader.u32())}`;
      case 'br_table': {
        const targets = reader.list(() => this.#label(reader.u32()));
        return ` ${[...targets, this.#label(reader.u32())].join(' ')}`;
      }
      case 'local.get':
      case 'local.set':
      case 'local.tee':
        return ` ${this.#local(reader.u32())}`;
      case 'global.get':
      case 'global.set':
        return ` $${this.#module.globals[reader.u32()]}`;
      case 'i32.const':
      case 'i64.const':
        return ` ${reader.signed()}`;
      case 'f32.const':
      case 'f64.const':
        return ` ${reader.float(name === 'f64.const')}`;
      default:
        return '';
    }
  }

  /** An instruction that is no control structure. */
  #plain(name: string, immediates: string): void {
    const reader = this.#reader;
    let [takes, leaves] = effect(name);
    let head = name + immediates;
    if (name === 'call' || name === 'return_call') {
      const callee = this.#module.functions[reader.u32()];
      head += ` $${callee?.name}`;
      takes = callee?.signature.parameters.length ?? 0;
      leaves = name === 'call' ? (callee?.signature.results.length ?? 0) : 0;
    } else if (name.endsWith('call_indirect')) {
      const type = reader.u32();
      reader.u32();
      const { parameters, results } = this.#module.type(type);
      head += ` $table (type $t${type})`;
      takes = parameters.length + 1;
      leaves = name.startsWith('return') ? 0 : results.length;
    }
    const operands = this.#pending.splice(Math.max(0, this.#pending.length - takes));
    if (/\.(load|store)/.test(name)) head += this.#address(operands[0]);
    if (operands.length > 0 && operands.length < takes) head += ' (;stack;)';
    const folded = { head, operands };
    if (leaves > 0) {
      // What came before an operand that is not here stays before it.
      if (operands.length < takes) this.#flush();
      this.#pending.push(folded);
      return;
    }
    this.#flush();
    this.#statement(folded);
  }

  #address(base: Folded | undefined): string {
    this.#reader.u32();
    const offset = this.#reader.u32();
    if (offset === 0) return '';
    const field = base?.head === 'i32.const 0' ? this.#module.notes.field(offset) : undefined;
    return ` offset=${offset}${field === undefined ? '' : ` (;${field};)`}`;
  }

  /** Writes down what is on the stack, in order. */
  #flush(): void {
    const pending = this.#pending;
    this.#pending = [];
    for (const folded of pending) this.#statement(folded);
  }

  #statement(folded: Folded): void {
    const depth = 2 + this.#labels.length;
    const { head, operands } = folded;
    const lines = operands.length === 0 ? [head] : broken(folded, LINE - depth * INDENT.length);
    for (const line of lines) this.#line(line);
  }
}

function flat({ head, operands }: Folded): string {
  return `(${[head, ...operands.map(flat)].join(' ')})`;
}

/** Lines of at most `width` characters, where that can be done between operands. */
function broken(folded: Folded, width: number): string[] {
  const text = flat(folded);
  if (text.length <= width || folded.operands.length === 0) return [text];
  const inner = folded.operands.flatMap((operand) => broken(operand, width - INDENT.length - 1));
  const lines = [`(${folded.head}`, ...inner.map((line) => INDENT + line)];
  lines[lines.length - 1] += ')';
  return lines;
}

/** The module as text. Throws where the bytes are no module, or use what the writer cannot write. */
export function moduleText(bytes: Uint8Array, notes: ModuleNotes): string {
  const module = new ModuleText(notes);
  const reader = new Reader(bytes, 8);
  while (reader.at < reader.end) {
    const id = reader.byte();
    const size = reader.u32();
    const section = new Reader(bytes, reader.at, reader.at + size);
    reader.at += size;
    module.section(id, section, bytes);
  }
  return `${[...module.lines, ')'].join('\n')}\n`;
}
