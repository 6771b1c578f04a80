/** F and D: IEEE 754 arithmetic, binary32 and binary64 (unprivileged ISA, chapters 'F', 'D'). */
import {
  add,
  and,
  call,
  type Expression,
  f,
  fbits1,
  fbits2,
  i32,
  i64,
  imm,
  load,
  or,
  rm,
  setF,
  setX,
  sext32,
  store,
  wrap,
  x1,
  xor,
} from '../expression.ts';
import {
  type Instruction,
  i,
  Opcode,
  type OperandName,
  RD,
  RM,
  type Row,
  RS1,
  RS2,
  RS3,
  r,
  r1,
  rows,
  s,
} from '../instruction.ts';

const address = add(x1, imm);

function format(width: 32 | 64): Row[] {
  const suffix = width === 32 ? 's' : 'd';
  const bit = width === 32 ? 0 : 1;
  const type = width === 32 ? 'i32' : 'i64';
  const name = (base: string) => `${base}.${suffix}`;
  const helper = (op: string, ...args: Expression[]) => call(type, `f${width}_${op}`, ...args);
  const a = f(1, width);
  const b = f(2, width);
  const sign = width === 32 ? i32(0x80000000 | 0) : i64(-(1n << 63n));
  const rest = width === 32 ? i32(0x7fffffff) : i64((1n << 63n) - 1n);
  const { OpFp } = Opcode;

  const float = (row: Row, ...names: OperandName[]): Row => ({ ...row, float: names });
  /** Takes a rounding mode in funct3. */
  const rounded = (row: Row): Row => ({
    ...row,
    mask: row.mask & ~(7 << 12),
    operands: [...row.operands, RM],
    syntax: `${row.syntax}, rm`,
  });
  const arithmetic = (base: string, f5: number, op: string): Row =>
    float(
      rounded(r(name(base), OpFp, 0, (f5 << 2) | bit, setF(width, helper(op, a, b, rm)))),
      'rd',
      'rs1',
      'rs2',
    );
  const plain = (base: string, f5: number, f3: number, value: Expression): Row =>
    float(r(name(base), OpFp, f3, (f5 << 2) | bit, setF(width, value)), 'rd', 'rs1', 'rs2');
  const compare = (base: string, f3: number): Row =>
    float(
      r(
        name(`f${base}`),
        OpFp,
        f3,
        (0x14 << 2) | bit,
        setX(call('i64', `f${width}_${base}`, a, b)),
      ),
      'rs1',
      'rs2',
    );
  const fused = (base: string, opcode: number, x: Expression, z: Expression): Row => ({
    name: name(base),
    mask: (3 << 25) | 0x7f,
    match: (bit << 25) | opcode,
    operands: [RD, RS1, RS2, RS3, RM],
    syntax: 'rd, rs1, rs2, rs3, rm',
    action: setF(width, helper('fma', x, b, z, rm)),
    float: ['rd', 'rs1', 'rs2', 'rs3'],
  });
  const c = f(3, width);
  const toInteger = (what: string, to: string, code: number): Row =>
    float(
      rounded(
        r1(
          `fcvt.${what}.${suffix}`,
          OpFp,
          0,
          (0x18 << 2) | bit,
          code,
          setX(call('i64', `f${width}_to_${to}`, a, rm)),
        ),
      ),
      'rs1',
    );
  const fromInteger = (what: string, from: string, code: number): Row =>
    float(
      rounded(
        r1(
          `fcvt.${suffix}.${what}`,
          OpFp,
          0,
          (0x1a << 2) | bit,
          code,
          setF(width, call(type, `${from}_to_f${width}`, x1, rm)),
        ),
      ),
      'rd',
    );

  return [
    float(
      i(
        width === 32 ? 'flw' : 'fld',
        Opcode.LoadFp,
        width === 32 ? 2 : 3,
        load(width === 32 ? 'f32' : 'f64', address),
        'rd, imm(rs1)',
      ),
      'rd',
    ),
    float(
      s(
        width === 32 ? 'fsw' : 'fsd',
        Opcode.StoreFp,
        width === 32 ? 2 : 3,
        store(width === 32 ? 4 : 8, address, fbits2),
      ),
      'rs2',
    ),
    fused('fmadd', Opcode.Madd, a, c),
    fused('fmsub', Opcode.Msub, a, xor(c, sign)),
    fused('fnmsub', Opcode.Nmsub, xor(a, sign), c),
    fused('fnmadd', Opcode.Nmadd, xor(a, sign), xor(c, sign)),
    arithmetic('fadd', 0x00, 'add'),
    arithmetic('fsub', 0x01, 'sub'),
    arithmetic('fmul', 0x02, 'mul'),
    arithmetic('fdiv', 0x03, 'div'),
    float(
      rounded(r1(name('fsqrt'), OpFp, 0, (0x0b << 2) | bit, 0, setF(width, helper('sqrt', a, rm)))),
      'rd',
      'rs1',
    ),
    plain('fsgnj', 0x04, 0, or(and(a, rest), and(b, sign))),
    plain('fsgnjn', 0x04, 1, or(and(a, rest), xor(and(b, sign), sign))),
    plain('fsgnjx', 0x04, 2, xor(a, and(b, sign))),
    plain('fmin', 0x05, 0, helper('min', a, b)),
    plain('fmax', 0x05, 1, helper('max', a, b)),
    compare('le', 0),
    compare('lt', 1),
    compare('eq', 2),
    float(
      r1(name('fclass'), OpFp, 1, (0x1c << 2) | bit, 0, setX(call('i64', `f${width}_class`, a))),
      'rs1',
    ),
    toInteger('w', 'i32', 0),
    toInteger('wu', 'u32', 1),
    toInteger('l', 'i64', 2),
    toInteger('lu', 'u64', 3),
    fromInteger('w', 'i32', 0),
    fromInteger('wu', 'u32', 1),
    fromInteger('l', 'i64', 2),
    fromInteger('lu', 'u64', 3),
    width === 32
      ? float(r1('fmv.x.w', OpFp, 0, 0x70, 0, setX(sext32(fbits1))), 'rs1')
      : float(r1('fmv.x.d', OpFp, 0, 0x71, 0, setX(fbits1)), 'rs1'),
    width === 32
      ? float(r1('fmv.w.x', OpFp, 0, 0x78, 0, setF(32, wrap(x1))), 'rd')
      : float(r1('fmv.d.x', OpFp, 0, 0x79, 0, setF(64, x1)), 'rd'),
    width === 32
      ? float(
          rounded(
            r1('fcvt.s.d', OpFp, 0, 0x20, 1, setF(32, call('i32', 'f64_to_f32', f(1, 64), rm))),
          ),
          'rd',
          'rs1',
        )
      : float(
          rounded(r1('fcvt.d.s', OpFp, 0, 0x21, 0, setF(64, call('i64', 'f32_to_f64', f(1, 32))))),
          'rd',
          'rs1',
        ),
  ];
}

// fcvt.s.d needs binary64: it belongs to D.
const single = format(32);
export const floats: Instruction[] = [
  ...rows(
    'f',
    'unprivileged ISA, F',
    single.filter((row) => row.name !== 'fcvt.s.d'),
  ),
  ...rows('d', 'unprivileged ISA, D', [
    ...single.filter((row) => row.name === 'fcvt.s.d'),
    ...format(64),
  ]),
];
