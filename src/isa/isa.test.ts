/** The instruction table against itself: encodings, and text out of them and back. */
import { describe, expect, it } from 'vitest';
import { aliasOf } from './aliases.ts';
import { assemble } from './assemble.ts';
import { decode, encode, extract, type Operands, rowsOf } from './codec.ts';
import { disassemble } from './disassemble.ts';
import { BASE_EXTENSIONS, NAMED_EXTENSIONS } from './extensions.ts';
import type { Instruction } from './instruction.ts';
import { INSTRUCTIONS, matches } from './table.ts';

/** A small generator of numbers: xorshift32 from a fixed seed, so that failures repeat. */
function randomizer(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Random words of a row, reserved encodings left out. */
function* wordsOf(row: Instruction, count: number, random: () => number): Generator<number> {
  let given = 0;
  for (let tries = 0; given < count && tries < count * 20; tries++) {
    const free = row.length === 4 ? ~row.mask : ~row.mask & 0xffff;
    const word = (row.match | (random() & free)) >>> 0;
    if (!matches(row, word) || !decode(word)) continue;
    given++;
    yield word;
  }
}

/** Operands as this word has them. */
function operandsOf(row: Instruction, word: number): Operands {
  const operands: Operands = { ...row.fixed };
  for (const operand of row.operands) operands[operand.name] = extract(word, operand);
  return operands;
}

describe('the instruction table', () => {
  it('gives each mnemonic once', () => {
    expect(new Set(INSTRUCTIONS.map((row) => row.name)).size).toBe(INSTRUCTIONS.length);
  });

  it('has match within mask, and operands outside it', () => {
    for (const row of INSTRUCTIONS) {
      expect((row.match & ~row.mask) >>> 0, row.name).toBe(0);
      for (const { pieces } of row.operands) {
        for (const { from, width } of pieces) {
          expect((row.mask >>> from) & (2 ** width - 1), row.name).toBe(0);
        }
      }
    }
  });

  it('has no two rows that overlap, by their masks', () => {
    // What both rows allow: empty when their fixed bits contradict, or an exception covers it all.
    for (const [i, a] of INSTRUCTIONS.entries()) {
      for (const b of INSTRUCTIONS.slice(i + 1)) {
        if (((a.match ^ b.match) & a.mask & b.mask) !== 0) continue;
        const mask = (a.mask | b.mask) >>> 0;
        const match = (a.match | b.match) >>> 0;
        const covered = [...a.except, ...b.except].some(
          (e) => (e.mask & ~mask) >>> 0 === 0 && (match & e.mask) >>> 0 === e.match,
        );
        // c.lui and c.addi16sp, c.jr and c.mv overlap only where both exceptions join.
        if (!covered) {
          const random = randomizer(1);
          for (let n = 0; n < 5000; n++) {
            const word = (match | (random() & ~mask)) >>> 0;
            expect(matches(a, word) && matches(b, word), `${a.name}, ${b.name}`).toBe(false);
          }
        }
      }
    }
  });

  it('gives every halfword at most one row', () => {
    for (let word = 0; word < 0x10000; word++) {
      if ((word & 3) !== 3) expect(rowsOf(word).length).toBeLessThan(2);
    }
  });

  it('gives random words at most one row', () => {
    const random = randomizer(7);
    let most = 0;
    for (let n = 0; n < 2_000_000; n++) {
      const found = rowsOf(random() | 3).length;
      if (found > most) most = found;
    }
    expect(most).toBe(1);
  });

  it('is reached in every row by decoding', () => {
    const random = randomizer(3);
    for (const row of INSTRUCTIONS) {
      const words = [...wordsOf(row, 50, random)];
      expect(words.length, row.name).toBeGreaterThan(0);
      for (const word of words) expect(decode(word)?.row.name).toBe(row.name);
    }
  });

  it('has rows for every extension that has instructions', () => {
    const withRows = new Set(INSTRUCTIONS.map((row) => row.extension));
    const withoutInstructions = ['zicntr', 'zihpm', 'sstc', 'svadu', 'svnapot'];
    for (const extension of [...BASE_EXTENSIONS, ...NAMED_EXTENSIONS]) {
      expect(withRows.has(extension), extension).toBe(!withoutInstructions.includes(extension));
    }
  });

  it('expands compressed rows to operands that the full instruction can hold', () => {
    const random = randomizer(5);
    const full = new Map(INSTRUCTIONS.map((row) => [row.name, row]));
    for (const row of INSTRUCTIONS.filter((row) => row.expands)) {
      const target = full.get(row.expands ?? '');
      for (const word of wordsOf(row, 50, random)) {
        const decoded = decode(encode(target!, operandsOf(row, word)));
        expect(decoded?.row.name).toBe(row.expands);
      }
    }
  });
});

describe('encoding and text', () => {
  it('encodes what decoding gave', () => {
    const random = randomizer(11);
    for (const row of INSTRUCTIONS) {
      for (const word of wordsOf(row, 200, random)) {
        // Fields that no operand shows (reserved ones of fences) come back as zero.
        let shown = row.mask;
        for (const { pieces } of row.operands) {
          for (const { from, width } of pieces) shown |= (2 ** width - 1) << from;
        }
        expect(encode(row, operandsOf(row, word)), row.name).toBe((word & shown) >>> 0);
      }
    }
  });

  it('assembles what the disassembler printed', () => {
    const random = randomizer(13);
    const seen = new Set<string>();
    for (const row of INSTRUCTIONS) {
      const lines: string[] = [];
      const words: number[] = [];
      let address = 0x8000_0000n;
      for (let word of wordsOf(row, 100, random)) {
        // Reserved forms of fences have no text of their own.
        if (row.name === 'fence') word = (word & 0x0ff0_0000) | 0xf;
        if (row.name === 'fence.i') word = row.match;
        const text = disassemble(word, address);
        const alias = aliasOf(row.name, operandsOf(row, word));
        if (alias) seen.add(alias.name);
        lines.push(text);
        words.push(word >>> 0);
        address += BigInt(row.length);
      }
      const { bytes } = assemble(lines.join('\n'), { base: 0x8000_0000n });
      const view = new DataView(bytes.buffer);
      words.forEach((word, i) => {
        const back = row.length === 4 ? view.getUint32(4 * i, true) : view.getUint16(2 * i, true);
        expect(back, `${lines[i]} of ${row.name}`).toBe(word);
      });
    }
  });

  it('prints as the manual writes', () => {
    const text = (word: number) => disassemble(word, 0x8000_0000n);
    expect(text(0x00b50533)).toBe('add a0, a0, a1');
    expect(text(0x00813083)).toBe('ld ra, 8(sp)');
    expect(text(0x8082)).toBe('c.jr ra');
    expect(text(0x00008067)).toBe('ret');
    expect(text(0x00000013)).toBe('nop');
    expect(text(0x0ff0000f)).toBe('fence');
    expect(text(0x8330000f)).toBe('fence.tso');
    expect(text(0x0310000f)).toBe('fence rw, w');
    expect(text(0x1005252f)).toBe('lr.w a0, (a0)');
    expect(text(0x1e55a52f)).toBe('sc.w.aqrl a0, t0, (a1)');
    expect(text(0x300022f3)).toBe('csrr t0, mstatus');
    expect(text(0x00c5f553)).toBe('fadd.s fa0, fa1, fa2');
    expect(text(0x00c58553)).toBe('fadd.s fa0, fa1, fa2, rne');
    expect(text(0xfe000ee3)).toBe('beqz zero, 0x7ffffffc');
    expect(text(0x12000073)).toBe('sfence.vma');
    expect(text(0x0000)).toBe('.half 0x0');
    expect(text(0xffffffff)).toBe('.word 0xffffffff');
    expect(text(0x00c5d553)).toBe('.word 0xc5d553');
  });
});

describe('the assembler', () => {
  it('resolves labels in both directions, data and pseudo-instructions', () => {
    const { bytes, symbols } = assemble(
      `
      .equ limit, 3
      start: li t0, limit        # a comment
             la t1, table
      loop:  addi t0, t0, -1
             bnez t0, loop
             j end // another
             .align 3
      table: .dword table, 0x1122334455667788
             .half 1, -1
             .asciz "a\\n"
             .balign 4
      end:   ret
      `,
      { base: 0x8000_0000n },
    );
    const view = new DataView(bytes.buffer);
    expect(symbols.get('table')).toBe(0x8000_0018n);
    expect(symbols.get('end')).toBe(0x8000_0030n);
    expect(disassemble(view.getUint32(0, true), 0n)).toBe('li t0, 3');
    expect(disassemble(view.getUint32(16, true), 0x8000_0010n)).toBe('bnez t0, 0x8000000c');
    expect(disassemble(view.getUint32(20, true), 0x8000_0014n)).toBe('j 0x80000030');
    expect(view.getBigUint64(24, true)).toBe(0x8000_0018n);
    expect(view.getBigUint64(32, true)).toBe(0x1122_3344_5566_7788n);
    expect([...bytes.slice(40, 48)]).toEqual([1, 0, 255, 255, 97, 10, 0, 0]);
  });

  it('loads any constant', () => {
    const random = randomizer(17);
    const values = [0n, -1n, 2047n, -2048n, 0x7fffffffn, -0x80000000n, 0x80000000n, 1n << 63n];
    for (let n = 0; n < 500; n++) {
      const wide = (BigInt(random()) << 32n) | BigInt(random());
      values.push(BigInt.asIntN(64, wide) >> BigInt(random() & 63));
    }
    for (const value of values) {
      const { bytes } = assemble(`li a0, ${BigInt.asIntN(64, value)}`, { base: 0n });
      let a0 = 0n;
      for (const word of new Uint32Array(bytes.buffer)) {
        const { row, operands } = decode(word)!;
        const imm = BigInt(operands.imm!);
        const from = operands.rs1 === 0 ? 0n : a0;
        if (row.name === 'lui') a0 = imm;
        else if (row.name === 'addi') a0 = BigInt.asIntN(64, from + imm);
        else if (row.name === 'addiw') a0 = BigInt.asIntN(32, from + imm);
        else a0 = BigInt.asIntN(64, from << imm);
      }
      expect(a0).toBe(BigInt.asIntN(64, value));
    }
  });

  it.each([
    ['addi a0, a0, 5000', /Line 1 .*cannot hold 5000/],
    ['frobnicate a0', /Line 1 .*no instruction frobnicate/],
    ['j nowhere', /Line 1 .*nowhere is not defined/],
    ['add a0, a1', /Line 1 .*takes rd, rs1, rs2/],
    ['a: nop\na: nop', /Line 2: a is defined twice/],
    ['c.addi4spn a0, sp, 0', /reserved/],
    ['lw a0, 0(q9)', /q9 is no x register/],
  ])('says what is wrong with %s', (source, message) => {
    expect(() => assemble(source, { base: 0n })).toThrow(message);
  });
});
