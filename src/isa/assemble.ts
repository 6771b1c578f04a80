/**
 * A small two-pass assembler for tests and bare-metal programs: the table's instructions, the
 * usual pseudo-instructions, labels, and data. Relies on the instruction table for encodings.
 *
 *   label:  addi a0, a0, 1     # one statement a line; comments begin with # or //
 *   .align 3                   directives: .align .balign .zero .byte .half .word .dword
 *                              .ascii .asciz .equ
 *
 * Immediates are numbers, characters, symbols, `.` (the address here), and sums and differences of
 * them. Every statement has its size in the first pass: compressed forms are used only where they
 * are named (`c.addi`), and branches are never relaxed.
 */
import { ALIASES, type Alias } from './aliases.ts';
import { encode, type Operands } from './codec.ts';
import { isPcRelative, isUpper } from './disassemble.ts';
import type { Instruction } from './instruction.ts';
import { CSR_NUMBERS, fNumber, ROUNDING_MODES, xNumber } from './registers.ts';
import { INSTRUCTIONS } from './table.ts';

export interface Assembled {
  readonly bytes: Uint8Array;
  readonly symbols: Map<string, bigint>;
}

const rows = new Map(INSTRUCTIONS.map((row) => [row.name, row]));
const aliases = new Map<string, Alias[]>();
for (const alias of ALIASES) aliases.set(alias.name, [...(aliases.get(alias.name) ?? []), alias]);

/** What a line can refer to: symbols, and the address of the statement. */
interface Scope {
  readonly symbols: ReadonlyMap<string, bigint>;
  readonly here: bigint;
}

class AssemblyError extends Error {}

function atom(text: string, { symbols, here }: Scope): bigint {
  if (text === '.') return here;
  if (/^(0x[\da-f]+|0b[01]+|\d+)$/i.test(text)) return BigInt(text);
  const character = /^'(\\?.)'$/.exec(text)?.[1];
  if (character) return BigInt(unescaped(character).charCodeAt(0));
  const value = symbols.get(text);
  if (value === undefined) throw new AssemblyError(`${text} is not defined.`);
  return value;
}

/** Value of a sum of signed atoms. */
function evaluate(text: string, scope: Scope): bigint {
  const terms = [...text.matchAll(/([+-]?)\s*('\\?.'|[\w.$]+)\s*/g)];
  if (
    terms.length === 0 ||
    terms
      .map((term) => term[0])
      .join('')
      .trim() !== text.trim()
  ) {
    throw new AssemblyError(`"${text}" is no expression.`);
  }
  return terms.reduce((sum, [, sign, term = '']) => {
    const value = atom(term, scope);
    return sign === '-' ? sum - value : sum + value;
  }, 0n);
}

function unescaped(text: string): string {
  const codes: Record<string, string> = { n: '\n', r: '\r', t: '\t', 0: '\0' };
  return text.replace(/\\(.)/g, (_, code: string) => codes[code] ?? code);
}

function fenceSet(text: string): number {
  if (text === '0') return 0;
  return [...text].reduce((bits, letter) => {
    const i = 'iorw'.indexOf(letter);
    if (i < 0) throw new AssemblyError(`"${text}" is no set of a fence: use letters of iorw.`);
    return bits | (8 >> i);
  }, 0);
}

function register(text: string, isFloat: boolean): number {
  const number = isFloat ? fNumber(text) : xNumber(text);
  if (number === undefined)
    throw new AssemblyError(`${text} is no ${isFloat ? 'f' : 'x'} register.`);
  return number;
}

function csrNumber(text: string, scope: Scope): number {
  return CSR_NUMBERS.get(text) ?? Number(evaluate(text, scope));
}

function immediate(text: string, row: Instruction, scope: Scope): number {
  const value = evaluate(text, scope);
  if (isPcRelative(row)) return Number(BigInt.asIntN(64, value - scope.here));
  if (isUpper(row)) {
    const field = Number(value);
    if (field < -(2 ** 19) || field >= 2 ** 20)
      throw new AssemblyError(`${text} is beyond 20 bits.`);
    return (field << 12) | 0;
  }
  return Number(value);
}

/** Gives the operands that `texts` are, by the syntax's tokens. */
function parseOperands(
  syntax: string,
  row: Instruction,
  text: string,
  scope: Scope,
): Operands | undefined {
  const tokens: string[] = [];
  // rm may be left out: then the mode is dynamic. A zero offset before a parenthesis too.
  const source = syntax
    .replace(/[a-z]+\d?|[()]/g, (token) => {
      if (token === '(' || token === ')') return `\\s*\\${token}\\s*`;
      tokens.push(token);
      if (token === 'rm') return '([a-z]+)';
      if (token === 'imm' && syntax.includes('imm(')) return '([^,()]*)';
      return '([^,()]+)';
    })
    .replace(/, /g, '\\s*,\\s*')
    .replace('\\s*,\\s*([a-z]+)', '(?:\\s*,\\s*([a-z]+))?')
    .replace(/^(.*)$/s, '^$1$');
  const found = new RegExp(source).exec(text);
  if (!found) return undefined;
  const operands: Operands = {};
  tokens.forEach((token, i) => {
    const part = (found[i + 1] ?? '').trim();
    switch (token) {
      case 'rd':
      case 'rs1':
      case 'rs2':
      case 'rs3':
        operands[token] = register(part, row.float.has(token));
        break;
      case 'imm':
        operands.imm = part === '' ? 0 : immediate(part, row, scope);
        break;
      case 'zimm':
        operands.rs1 = Number(evaluate(part, scope));
        break;
      case 'csr':
        operands.imm = csrNumber(part, scope);
        break;
      case 'rm':
        operands.rm = part === '' ? 7 : ROUNDING_MODES.indexOf(part);
        break;
      default:
        if (part !== token)
          throw new AssemblyError(`${row.name} takes ${token} here, not ${part}.`);
    }
  });
  return operands;
}

/** Operands that the syntax does not show: both names of a shared field, implied values. */
function complete(row: Instruction, operands: Operands): Operands {
  const all: Operands = { ...row.fixed, ...operands };
  for (const { name } of row.operands) {
    if (all[name] !== undefined) continue;
    if (name === 'rs1' && all.rd !== undefined) all.rs1 = all.rd;
    if (name === 'imm' && row.extension === 'a') all.imm = 0;
  }
  return all;
}

function instruction(name: string, text: string, scope: Scope): { word: number; length: 2 | 4 } {
  if (name === 'fence.tso') return { word: 0x8330000f, length: 4 };
  const order = /\.(aqrl|aq|rl)$/.exec(name)?.[1];
  const base = order ? name.slice(0, -order.length - 1) : name;
  for (const alias of aliases.get(name) ?? []) {
    const row = rows.get(alias.of);
    if (!row || /^$/.test(alias.syntax) !== /^$/.test(text)) continue;
    const operands = parseOperands(alias.syntax, row, text, scope);
    if (!operands) continue;
    const all: Operands = { ...operands, ...alias.fixed };
    if (alias.equal) all[alias.equal[1]] = all[alias.equal[0]];
    return { word: encode(row, complete(row, all)), length: row.length };
  }
  const row = rows.get(base);
  if (!row) throw new AssemblyError(`There is no instruction ${name}.`);
  let operands: Operands | undefined;
  if (row.syntax === 'fence') operands = fenceOperands(text);
  else operands = parseOperands(row.syntax, row, text, scope);
  if (!operands) throw new AssemblyError(`${name} takes ${row.syntax || 'no operands'}.`);
  if (order) operands.imm = { rl: 1, aq: 2, aqrl: 3 }[order] ?? 0;
  return { word: encode(row, complete(row, operands)), length: row.length };
}

function fenceOperands(text: string): Operands {
  const [predecessor = '', successor = ''] = text.split(/\s*,\s*/);
  return { imm: (fenceSet(predecessor) << 4) | fenceSet(successor) };
}

/** Instructions that load a constant: `li`. */
export function loadConstant(rd: string, value: bigint): string[] {
  const number = BigInt.asIntN(64, value);
  if (number >= -2048n && number < 2048n) return [`addi ${rd}, zero, ${number}`];
  const low = BigInt.asIntN(12, number);
  if (number >= -(1n << 31n) && number < 1n << 31n) {
    const high = ((number - low) >> 12n) & 0xfffffn;
    return low === 0n
      ? [`lui ${rd}, ${high}`]
      : [`lui ${rd}, ${high}`, `addiw ${rd}, ${rd}, ${low}`];
  }
  let rest = BigInt.asIntN(64, number - low) >> 12n;
  let shift = 12n;
  while ((rest & 1n) === 0n) {
    rest >>= 1n;
    shift += 1n;
  }
  const tail = low === 0n ? [] : [`addi ${rd}, ${rd}, ${low}`];
  return [...loadConstant(rd, rest), `slli ${rd}, ${rd}, ${shift}`, ...tail];
}

/** Pseudo-instructions of several instructions. Their number depends on nothing of later lines. */
function expand(
  name: string,
  text: string,
  scope: Scope,
  isFirstPass: boolean,
): string[] | undefined {
  const [first = '', second = ''] = text.split(/\s*,\s*/);
  const target = (symbol: string) => {
    const offset = isFirstPass ? 0n : BigInt.asIntN(64, evaluate(symbol, scope) - scope.here);
    const low = BigInt.asIntN(12, offset);
    return { low, high: ((offset - low) >> 12n) & 0xfffffn };
  };
  switch (name) {
    case 'li':
      return loadConstant(first, evaluate(second, scope));
    case 'la': {
      const { low, high } = target(second);
      return [`auipc ${first}, ${high}`, `addi ${first}, ${first}, ${low}`];
    }
    case 'call': {
      const { low, high } = target(first);
      return [`auipc ra, ${high}`, `jalr ra, ${low}(ra)`];
    }
    case 'tail': {
      const { low, high } = target(first);
      return [`auipc t1, ${high}`, `jalr zero, ${low}(t1)`];
    }
    default:
      return undefined;
  }
}

const DATA_SIZES: Record<string, number> = { '.byte': 1, '.half': 2, '.word': 4, '.dword': 8 };

interface Line {
  readonly number: number;
  readonly labels: readonly string[];
  readonly name: string;
  readonly text: string;
}

function parseLines(source: string): Line[] {
  return source.split('\n').map((raw, i) => {
    let rest = raw.replace(/("(?:[^"\\]|\\.)*")|(#|\/\/).*$/g, '$1').trim();
    const labels: string[] = [];
    for (let found = /^([\w.$]+):\s*/.exec(rest); found; found = /^([\w.$]+):\s*/.exec(rest)) {
      labels.push(found[1] ?? '');
      rest = rest.slice(found[0].length);
    }
    const [, name = '', text = ''] = /^(\S*)\s*(.*)$/s.exec(rest) ?? [];
    return { number: i + 1, labels, name, text };
  });
}

class Output {
  #bytes = new Uint8Array(4096);
  length = 0;

  put(value: bigint, size: number): void {
    if (this.length + size > this.#bytes.length) {
      const grown = new Uint8Array(this.#bytes.length * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    for (let i = 0; i < size; i++) {
      this.#bytes[this.length++] = Number((value >> BigInt(8 * i)) & 0xffn);
    }
  }

  get bytes(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }
}

/** One pass. The first does not know the symbols that stand further down: it takes 0 for them. */
function pass(lines: readonly Line[], base: bigint, symbols: Map<string, bigint>, first: boolean) {
  const output = new Output();
  const known: ReadonlyMap<string, bigint> = symbols;
  const size = (name: string) => (rows.get(name)?.length === 2 ? 2 : 4);

  function statement({ name, text }: Line): void {
    const here = base + BigInt(output.length);
    const scope: Scope = { symbols: known, here };
    const data = DATA_SIZES[name];
    if (data) {
      for (const part of text.split(/\s*,\s*/))
        output.put(first ? 0n : evaluate(part, scope), data);
    } else if (name === '.align' || name === '.balign') {
      const amount = Number(evaluate(text, scope));
      const to = name === '.align' ? 2 ** amount : amount;
      while (Number((base + BigInt(output.length)) % BigInt(to)) !== 0) output.put(0n, 1);
    } else if (name === '.zero') {
      for (let i = evaluate(text, scope); i > 0n; i--) output.put(0n, 1);
    } else if (name === '.ascii' || name === '.asciz') {
      const characters = unescaped(/^"(.*)"$/s.exec(text)?.[1] ?? '');
      const bytes = [...characters].map((character) => character.charCodeAt(0));
      if (bytes.some((byte) => byte > 127)) throw new AssemblyError('Text is ASCII here.');
      if (name === '.asciz') bytes.push(0);
      for (const byte of bytes) output.put(BigInt(byte), 1);
    } else if (name === '.equ') {
      const [symbol = '', value = ''] = text.split(/\s*,\s*/);
      symbols.set(symbol, evaluate(value, scope));
    } else if (/^\.(globa?l|text|data|section|option)$/.test(name)) {
      // For other assemblers.
    } else {
      const parts = expand(name, text, scope, first);
      if (parts) {
        for (const part of parts) {
          const [, operation = '', operands = ''] = /^(\S+) (.*)$/.exec(part) ?? [];
          output.put(BigInt(instruction(operation, operands, scope).word), 4);
        }
      } else if (first) {
        output.put(0n, size(name));
      } else {
        const { word, length } = instruction(name, text, scope);
        output.put(BigInt(word), length);
      }
    }
  }

  for (const line of lines) {
    for (const label of line.labels) {
      if (first && symbols.has(label)) {
        throw new Error(`Line ${line.number}: ${label} is defined twice.`);
      }
      symbols.set(label, base + BigInt(output.length));
    }
    if (line.name === '') continue;
    try {
      statement(line);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`Line ${line.number} (${line.name} ${line.text}): ${reason}`);
    }
  }
  return output.bytes;
}

/** Assembles a program whose first byte lies at `base`. Throws a sentence that names the line. */
export function assemble(source: string, { base }: { base: bigint }): Assembled {
  const lines = parseLines(source);
  const symbols = new Map<string, bigint>();
  pass(lines, base, symbols, true);
  const bytes = pass(lines, base, symbols, false);
  return { bytes, symbols };
}
