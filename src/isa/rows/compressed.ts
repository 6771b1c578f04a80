/**
 * C: 16-bit forms of common instructions (unprivileged ISA, chapter 'C'). A row says which
 * instruction it stands for and where its operands are; the semantics are that instruction's.
 */
import { nothing } from '../expression.ts';
import {
  compressed as c,
  type Encoding,
  type Fixed,
  type Instruction,
  type Operand,
  type OperandName,
  type Row,
  rows,
} from '../instruction.ts';

const { low, high, imm } = c;
const both = (o: Operand): Operand[] => [
  { ...o, name: 'rd' },
  { ...o, name: 'rs1' },
];
const full = both(c.rd);
const short = both(high('rd'));

interface Options {
  fixed?: Fixed;
  /** Bits of the encoding beyond quadrant and funct3: mask and match. */
  also?: Encoding;
  except?: Encoding[];
  float?: OperandName[];
}

function row(
  name: string,
  expands: string,
  quadrant: number,
  funct3: number,
  operands: readonly Operand[],
  syntax: string,
  { fixed = {}, also = { mask: 0, match: 0 }, except = [], float = [] }: Options = {},
): Row {
  return {
    name,
    expands,
    mask: 0xe003 | also.mask,
    match: (funct3 << 13) | quadrant | also.match,
    operands,
    syntax,
    // Replaced by the action of the instruction that it expands to, in table.ts.
    action: nothing,
    fixed,
    except,
    float,
    length: 2,
  };
}

const noRd: Encoding = { mask: 0x0f80, match: 0 };
const noImm6: Encoding = { mask: 0x107c, match: 0 };
const imm6 = imm(true, [12, '5'], [6, '4:0']);
const shamt = imm(false, [12, '5'], [6, '4:0']);
const word = imm(false, [12, '5:3'], [6, '2|6']);
const double = imm(false, [12, '5:3'], [6, '7:6']);
const wordFromSp = imm(false, [12, '5'], [6, '4:2|7:6']);
const doubleFromSp = imm(false, [12, '5'], [6, '4:3|8:6']);
const wordToSp = imm(false, [12, '5:2|7:6']);
const doubleToSp = imm(false, [12, '5:3|8:6']);
const jumpTarget = imm(true, [12, '11|4|9:8|10|6|7|3:1|5']);
const branchTarget = imm(true, [12, '8|4:3'], [6, '7:6|2:1|5']);
const load = 'rd, imm(rs1)';
const store = 'rs2, imm(rs1)';
const fromSp = 'rd, imm(sp)';
const toSp = 'rs2, imm(sp)';

/** funct3 100 of quadrant 1: a two-operand operation on three-bit registers. */
const arithmetic = (name: string, expands: string, bit12: number, code: number): Row =>
  row(name, expands, 1, 4, [...short, low('rs2')], 'rd, rs2', {
    also: { mask: 0x1c60, match: (bit12 << 12) | (3 << 10) | (code << 5) },
  });
const onImmediate = (name: string, expands: string, code: number, operand: Operand): Row =>
  row(name, expands, 1, 4, [...short, operand], 'rd, imm', {
    also: { mask: 0x0c00, match: code << 10 },
  });

const integer: Row[] = [
  row('c.addi4spn', 'addi', 0, 0, [low('rd'), imm(false, [12, '5:4|9:6|2|3'])], 'rd, sp, imm', {
    fixed: { rs1: 2 },
    except: [{ mask: 0x1fe0, match: 0 }],
  }),
  row('c.lw', 'lw', 0, 2, [low('rd'), high('rs1'), word], load),
  row('c.ld', 'ld', 0, 3, [low('rd'), high('rs1'), double], load),
  row('c.sw', 'sw', 0, 6, [low('rs2'), high('rs1'), word], store),
  row('c.sd', 'sd', 0, 7, [low('rs2'), high('rs1'), double], store),
  row('c.addi', 'addi', 1, 0, [...full, imm6], 'rd, imm'),
  row('c.addiw', 'addiw', 1, 1, [...full, imm6], 'rd, imm', { except: [noRd] }),
  row('c.li', 'addi', 1, 2, [c.rd, imm6], 'rd, imm', { fixed: { rs1: 0 } }),
  row('c.addi16sp', 'addi', 1, 3, [imm(true, [12, '9'], [6, '4|6|8:7|5'])], 'sp, imm', {
    fixed: { rd: 2, rs1: 2 },
    also: { mask: 0x0f80, match: 2 << 7 },
    except: [noImm6],
  }),
  row('c.lui', 'lui', 1, 3, [c.rd, imm(true, [12, '17'], [6, '16:12'])], 'rd, imm', {
    except: [noImm6, { mask: 0x0f80, match: 2 << 7 }],
  }),
  onImmediate('c.srli', 'srli', 0, shamt),
  onImmediate('c.srai', 'srai', 1, shamt),
  onImmediate('c.andi', 'andi', 2, imm6),
  arithmetic('c.sub', 'sub', 0, 0),
  arithmetic('c.xor', 'xor', 0, 1),
  arithmetic('c.or', 'or', 0, 2),
  arithmetic('c.and', 'and', 0, 3),
  arithmetic('c.subw', 'subw', 1, 0),
  arithmetic('c.addw', 'addw', 1, 1),
  row('c.j', 'jal', 1, 5, [jumpTarget], 'imm', { fixed: { rd: 0 } }),
  row('c.beqz', 'beq', 1, 6, [high('rs1'), branchTarget], 'rs1, imm', { fixed: { rs2: 0 } }),
  row('c.bnez', 'bne', 1, 7, [high('rs1'), branchTarget], 'rs1, imm', { fixed: { rs2: 0 } }),
  row('c.slli', 'slli', 2, 0, [...full, shamt], 'rd, imm'),
  row('c.lwsp', 'lw', 2, 2, [c.rd, wordFromSp], fromSp, { fixed: { rs1: 2 }, except: [noRd] }),
  row('c.ldsp', 'ld', 2, 3, [c.rd, doubleFromSp], fromSp, { fixed: { rs1: 2 }, except: [noRd] }),
  row('c.jr', 'jalr', 2, 4, [c.rs1], 'rs1', {
    fixed: { rd: 0, imm: 0 },
    also: { mask: 0x107c, match: 0 },
    except: [noRd],
  }),
  row('c.mv', 'add', 2, 4, [c.rd, c.rs2], 'rd, rs2', {
    fixed: { rs1: 0 },
    also: { mask: 0x1000, match: 0 },
    except: [{ mask: 0x007c, match: 0 }],
  }),
  row('c.ebreak', 'ebreak', 2, 4, [], '', { also: { mask: 0x1ffc, match: 0x1000 } }),
  row('c.jalr', 'jalr', 2, 4, [c.rs1], 'rs1', {
    fixed: { rd: 1, imm: 0 },
    also: { mask: 0x107c, match: 0x1000 },
    except: [noRd],
  }),
  row('c.add', 'add', 2, 4, [...full, c.rs2], 'rd, rs2', {
    also: { mask: 0x1000, match: 0x1000 },
    except: [{ mask: 0x007c, match: 0 }],
  }),
  row('c.swsp', 'sw', 2, 6, [c.rs2, wordToSp], toSp, { fixed: { rs1: 2 } }),
  row('c.sdsp', 'sd', 2, 7, [c.rs2, doubleToSp], toSp, { fixed: { rs1: 2 } }),
];

const floating: Row[] = [
  row('c.fld', 'fld', 0, 1, [low('rd'), high('rs1'), double], load, { float: ['rd'] }),
  row('c.fsd', 'fsd', 0, 5, [low('rs2'), high('rs1'), double], store, { float: ['rs2'] }),
  row('c.fldsp', 'fld', 2, 1, [c.rd, doubleFromSp], fromSp, {
    fixed: { rs1: 2 },
    float: ['rd'],
  }),
  row('c.fsdsp', 'fsd', 2, 5, [c.rs2, doubleToSp], toSp, {
    fixed: { rs1: 2 },
    float: ['rs2'],
  }),
];

export const compressed: Instruction[] = [
  ...rows('c', 'unprivileged ISA, C', integer),
  ...rows('c', 'unprivileged ISA, C with D', floating),
];
