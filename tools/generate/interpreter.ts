/**
 * Prints the interpreter: `run`, one loop around one switch whose cases are the rows of the
 * instruction table. The frame around them (interrupts, budgets, leaving the loop) is written here
 * once; what a row does is printed from its expression.
 *
 * Terms: a slot is a decoded instruction; `slot` points at the current one. `page` is the decode
 * page that it is in, `base` the guest-virtual address of that page: the pc is a function of the
 * three and is stored only when the loop is left. `n` counts down what may still run.
 */
import type { Action, Expression, LoadKind } from '../../src/isa/expression.ts';
import type { Instruction } from '../../src/isa/instruction.ts';
import { OPERATIONS, operationCode } from '../../src/isa/table.ts';

const PC = '(base + <u64>((slot - page) >> 2))';
const NEXT = '(base + <u64>((slot + (w >>> 25) - page) >> 2))';
/** Leaves the inner loop; the hart's pc is set. */
const LEAVE = 'rest = n; n = 0; continue;';
/** The current instruction does not retire. */
const UNDO = 'n++;';

const REGISTER = {
  rs1: '((w >>> 12) & 0xf8)',
  rs2: '((w >>> 17) & 0xf8)',
  rs3: '((imm >>> 5) & 0xf8)',
};
const RD = '((w >>> 6) & 0x1f8)';

/** The 32-bit immediate, where it is used more than once or in part. */
const LOAD_IMM = 'const imm = load<u32>(slot, 4);';

function print(e: Expression): string {
  switch (e.kind) {
    case 'x':
      return `load<i64>(h + ${REGISTER[e.operand]}, X)`;
    case 'f':
      return e.width === 64
        ? `load<i64>(h + ${REGISTER[e.operand]}, F)`
        : `unbox(load<i64>(h + ${REGISTER[e.operand]}, F))`;
    case 'fbits':
      return `load<i64>(h + ${REGISTER[e.operand]}, F)`;
    case 'imm':
      return '<i64>load<i32>(slot, 4)';
    case 'pc':
      return `<i64>${PC}`;
    case 'rm':
      return 'mode';
    case 'const':
      return `<${e.type}>${BigInt.asIntN(e.type === 'i64' ? 64 : 32, e.value)}`;
    case 'binary': {
      const unsigned = `u${e.on.slice(1)}`;
      const a = print(e.a);
      const b = print(e.b);
      const symbols: Record<string, string> = {
        add: '+',
        sub: '-',
        mul: '*',
        and: '&',
        or: '|',
        xor: '^',
        shl: '<<',
        shr_s: '>>',
        eq: '==',
        ne: '!=',
        lt_s: '<',
        ge_s: '>=',
      };
      const symbol = symbols[e.operator];
      let text: string;
      if (symbol) text = `(${a} ${symbol} ${b})`;
      else if (e.operator === 'shr_u')
        text = `<${e.on}>(<${unsigned}>(${a}) >> <${unsigned}>(${b}))`;
      else if (e.operator === 'lt_u') text = `(<${unsigned}>(${a}) < <${unsigned}>(${b}))`;
      else if (e.operator === 'ge_u') text = `(<${unsigned}>(${a}) >= <${unsigned}>(${b}))`;
      else text = `${e.operator}<${e.on}>(${a}, ${b})`;
      return text;
    }
    case 'unary': {
      const a = print(e.a);
      switch (e.operator) {
        case 'wrap':
          return `<i32>(${a})`;
        case 'extend_s':
          return `<i64><i32>(${a})`;
        case 'extend_u':
          return `<i64><u32>(${a})`;
        case 'extend8_s':
          return `<i64><i8>(${a})`;
        case 'extend16_s':
          return `<i64><i16>(${a})`;
        case 'extend32_s':
          return `<i64><i32>(${a})`;
        default:
          return `${e.operator}<${e.on}>(${a})`;
      }
    }
    case 'select':
      return `select<${e.type}>(${print(e.a)}, ${print(e.b)}, ${print(e.condition)})`;
    case 'call':
      return `<${e.type}>${e.helper}(${e.args.map(print).join(', ')})`;
  }
}

function uses(e: Expression, test: (e: Expression) => boolean): boolean {
  if (test(e)) return true;
  switch (e.kind) {
    case 'binary':
      return uses(e.a, test) || uses(e.b, test);
    case 'unary':
      return uses(e.a, test);
    case 'select':
      return uses(e.condition, test) || uses(e.a, test) || uses(e.b, test);
    case 'call':
      return e.args.some((arg) => uses(arg, test));
    default:
      return false;
  }
}

/** Goes to address `t` (u64) through the fetch TLB; on a miss the outer loop looks it up. */
const GO = `
          if (t - base < 4096) {
            slot = page + ((<usize>t & 0xfff) << 2);
          } else {
            const entry = fetchTlb + (<usize>(t >>> 8) & TLB_INDEX);
            if (load<u64>(entry) == (t & 0xfffffffffffff000)) {
              base = t & 0xfffffffffffff000;
              page = load<u32>(entry, 8);
              slot = page + ((<usize>t & 0xfff) << 2);
            } else {
              store<u64>(h, t, PC);
              ${LEAVE}
            }
          }
          heat(h, page, slot);
          continue;`;

/** An access on the slow path went wrong, or something happened that the outer loop must see. */
const FAULTED = `${UNDO} store<u64>(h, ${PC}, PC); raiseFault(h); ${LEAVE}`;
const AFTER_STORE = `
            if (load<u32>(h, EVENT)) {
              if (load<u32>(h, FAULT)) { ${FAULTED} }
              store<u64>(h, ${NEXT}, PC);
              ${LEAVE}
            }`;

const sizes: Record<LoadKind, number> = {
  i8: 1,
  u8: 1,
  i16: 2,
  u16: 2,
  i32: 4,
  u32: 4,
  i64: 8,
  f32: 4,
  f64: 8,
};

function loadSource(kind: LoadKind, address: Expression): string {
  const size = sizes[kind];
  const float = kind === 'f32' || kind === 'f64';
  const access = kind === 'f32' ? 'u32' : kind === 'f64' ? 'i64' : kind;
  const write = float
    ? `store<i64>(h + ${RD}, ${kind === 'f32' ? 'v | 0xffffffff00000000' : 'v'}, F); dirtyFloat(h);`
    : `store<i64>(h + ${RD}, v, X);`;
  return `const a: u64 = ${print(address)};
          const entry = dataTlb + (<usize>(a >>> 8) & TLB_INDEX);
          let v: i64;
          if (load<u64>(entry) == (a & ${hexMask(size)})) {
            v = <i64>load<${access}>(load<u32>(entry, 8) + <usize>a);
          } else {
            v = <i64><${access}>loadSlow(h, a, ${size});
            if (load<u32>(h, FAULT)) { ${FAULTED} }
          }
          ${write}`;
}

/** Keeps the page and the bits that a naturally aligned access has clear. */
function hexMask(size: number): string {
  return `0x${(0xffff_ffff_ffff_f000n | BigInt(size - 1)).toString(16)}`;
}

function storeSource(size: number, address: Expression, value: Expression): string {
  const type = { 1: 'u8', 2: 'u16', 4: 'u32', 8: 'u64' }[size];
  return `const a: u64 = ${print(address)};
          const v = <${type}>(${print(value)});
          const entry = dataTlb + TLB_WRITE + (<usize>(a >>> 8) & TLB_INDEX);
          if (load<u64>(entry) == (a & ${hexMask(size)})) {
            store<${type}>(load<u32>(entry, 8) + <usize>a, v);
          } else {
            storeSlow(h, a, ${size}, <u64>v);${AFTER_STORE}
          }`;
}

function actionSource(action: Action, row: Instruction): string {
  switch (action.kind) {
    case 'nothing':
      return '';
    case 'setX':
      return `store<i64>(h + ${RD}, ${print(action.value)}, X);`;
    case 'setF':
      return action.width === 64
        ? `store<i64>(h + ${RD}, ${print(action.value)}, F); dirtyFloat(h);`
        : `store<i64>(h + ${RD}, <i64><u32>(${print(action.value)}) | 0xffffffff00000000, F); dirtyFloat(h);`;
    case 'load':
      return loadSource(action.load, action.address);
    case 'store':
      return storeSource(action.size, action.address, action.value);
    case 'branch':
      return `if (${print(action.condition)}) {
            const distance = load<i32>(slot, 4);
            const to = slot + (distance << 2);
            if (to - page < DECODE_PAGE_END) {
              slot = to;
              if (distance < 0) heat(h, page, slot);
              continue;
            }
            const t: u64 = ${PC} + <u64>distance;${GO}
          }`;
    case 'jump':
      return `const t: u64 = ${print(action.target)};
          store<u64>(h + ${RD}, ${NEXT}, X);${GO}`;
    case 'atomic':
      return `const v = ${action.helper}(h, load<u64>(h + ${REGISTER.rs1}, X), load<i64>(h + ${REGISTER.rs2}, X));
          if (load<u32>(h, EVENT)) {
            if (load<u32>(h, FAULT)) { ${FAULTED} }
            store<i64>(h + ${RD}, v, X);
            store<u64>(h, ${NEXT}, PC);
            ${LEAVE}
          }
          store<i64>(h + ${RD}, v, X);`;
    case 'system':
      return `store<u64>(h, ${PC}, PC);
          store<u64>(h, instret + <u64>(chunk - n - 1), INSTRET);
          const outcome = sys_${action.helper}(h, w, load<u32>(slot, 4));
          if (outcome != NEXT_FAST) {
            if (outcome == TRAPPED) ${UNDO}
            else if (outcome == NEXT_OUTER) store<u64>(h, ${NEXT}, PC);
            ${LEAVE}
          }`;
  }
  throw new Error(`No source for ${row.name}.`);
}

function values(action: Action): Expression[] {
  return action.kind === 'setX' || action.kind === 'setF' ? [action.value] : [];
}

function isFloat(row: Instruction): boolean {
  return row.extension === 'f' || row.extension === 'd';
}

function caseSource(row: Instruction): string {
  const used = values(row.action);
  const rounding = row.operands.some(({ name }) => name === 'rm');
  const third = used.some((e) => uses(e, (x) => x.kind === 'f' && x.operand === 'rs3'));
  const lines: string[] = [];
  if (isFloat(row))
    lines.push(`if (!floatOn(h)) { ${UNDO} store<u64>(h, ${PC}, PC); raiseIllegal(h); ${LEAVE} }`);
  if (rounding || third) lines.push(LOAD_IMM);
  if (rounding) {
    lines.push(
      'let mode: i32 = imm & 7;',
      `if (mode == 7) { mode = load<i32>(h, FRM); if (mode > 4) { ${UNDO} store<u64>(h, ${PC}, PC); raiseIllegal(h); ${LEAVE} } }`,
    );
  }
  lines.push(actionSource(row.action, row));
  return `        case ${operationCode(row)}: {
          // ${row.name}
          ${lines.filter(Boolean).join('\n          ')}
          break;
        }`;
}

function helpers(): { pure: string[]; system: string[]; atomic: string[] } {
  const pure = new Set<string>();
  const system = new Set<string>();
  const atomic = new Set<string>();
  for (const { action } of OPERATIONS) {
    for (const value of values(action)) {
      uses(value, (e) => {
        if (e.kind === 'call') pure.add(e.helper);
        return false;
      });
    }
    if (action.kind === 'system') system.add(`sys_${action.helper}`);
    if (action.kind === 'atomic') atomic.add(action.helper);
  }
  return { pure: [...pure].sort(), system: [...system].sort(), atomic: [...atomic].sort() };
}

export function interpreterSource(): string {
  const { pure, system, atomic } = helpers();
  const isFloatHelper = (name: string) => /(^|_)f(32|64)(_|$)/.test(name);
  return `import {
  ABSENT_HIT, ATTENTION, BUDGET, DATA_TLB, FETCH_TLB, DECODE_PAGE_END, DECODE_PAGES_OFFSET, EVENT, EXIT_ABSENT, EXIT_ATTENTION, EXIT_BUDGET, EXIT_SBI, EXIT_WATCH, EXIT_WFI,
  F, FAULT, FFLAGS, FRM, STAT_TRANSLATED, HARTS_OFFSET, HART_STRIDE, INSTRET, LOOK_INTERVAL, PC, TLB_INDEX, TLB_WRITE, WAITING,
  WATCH_HIT, X,
} from './layout';
import { readFflags, writeFflags, ${pure.filter(isFloatHelper).join(', ')} } from '../float';
import { ${pure.filter((name) => !isFloatHelper(name)).join(', ')} } from '../integer';
import { ${atomic.join(', ')} } from '../atomic';
import { ${system.filter((n) => n.startsWith('sys_csr')).join(', ')} } from '../csr';
import { ${system.filter((n) => !n.startsWith('sys_csr')).join(', ')} } from '../system';
import { NEXT_FAST, NEXT_OUTER, TRAPPED } from '../events';
import { dataTlbOf, fetchTlbOf, loadSlow, storeSlow } from '../access';
import { crossPage, decodeAt, fetchPage, redecode } from '../fetch';
import { heat } from '../heat';
import { loadShared } from '../shared';
import { tlbEntry } from '../tlb';
import { dirtyFloat, floatOn, unbox } from '../hart';
import { raiseFault, raiseIllegal, takeInterrupt, wakes } from '../trap';
import { EVENT_SBI } from '../events';

/** Runs at most \`budget\` instructions of a hart; returns an ExitReason. */
export function run(hart: u32, budget: i32): u32 {
  const h = HARTS_OFFSET + <usize>hart * HART_STRIDE;
  let left = budget;
  writeFflags(load<i32>(h, FFLAGS));
  let reason = EXIT_BUDGET;
  // Where a budget or chunk ended: going on there is no arrival.
  let stopped = load<u64>(h, PC);
  while (true) {
    if (load<u32>(h, WATCH_HIT)) {
      store<u32>(h, 0, WATCH_HIT);
      reason = EXIT_WATCH;
      break;
    }
    if (load<u32>(h, ABSENT_HIT)) {
      store<u32>(h, 0, ABSENT_HIT);
      reason = EXIT_ABSENT;
      break;
    }
    const event = load<u32>(h, EVENT);
    store<u32>(h, 0, EVENT);
    if (event == EVENT_SBI) {
      reason = EXIT_SBI;
      break;
    }
    if (loadShared<u32>(h + ATTENTION)) {
      reason = EXIT_ATTENTION;
      break;
    }
    if (load<u32>(h, WAITING)) {
      if (!wakes(h)) {
        reason = EXIT_WFI;
        break;
      }
      store<u32>(h, 0, WAITING);
    }
    // From translated code.
    if (load<u32>(h, FAULT)) {
      raiseFault(h);
      if (load<u32>(h, ABSENT_HIT)) continue;
    }
    takeInterrupt(h);
    if (left <= 0) break;
    let chunk = min(left, <i32>LOOK_INTERVAL);
    let n = chunk;
    const instret = load<u64>(h, INSTRET);
    const dataTlb = dataTlbOf(h);
    const fetchTlb = fetchTlbOf(h);
    store<u32>(h, <u32>dataTlb, DATA_TLB);
    store<u32>(h, <u32>fetchTlb, FETCH_TLB);
    const pc = load<u64>(h, PC);
    let page: usize = fetchPage(h, fetchTlb, pc);
    if (page == 0) {
      // A fault of the fetch: the trap's handler is next.
      raiseFault(h);
      left--;
      continue;
    }
    // PMP splits this page: every instruction is fetched by itself.
    if (load<u64>(tlbEntry(fetchTlb, pc)) != (pc & 0xfffffffffffff000)) {
      chunk = 1;
      n = 1;
    }
    let base = pc & 0xfffffffffffff000;
    let slot: usize = page + ((<usize>pc & 0xfff) << 2);
    // Handlers of traps, and where they return to, are reached by no jump.
    if (pc != stopped) heat(h, page, slot);
    let rest: i32 = -1;
    while (n > 0) {
      n--;
      const w = load<u32>(slot);
      switch (w & 0x1ff) {
        case 0: {
          // Decode: not an instruction.
          n++;
          decodeAt(h, base, page, slot);
          continue;
        }
        case 1: {
          // Lookup: the end of a page.
          n++;
          const t: u64 = ${PC};
          const from = page;
          const entry = fetchTlb + (<usize>(t >>> 8) & TLB_INDEX);
          if (load<u64>(entry) == (t & 0xfffffffffffff000)) {
            base = t & 0xfffffffffffff000;
            page = load<u32>(entry, 8);
            slot = page + ((<usize>t & 0xfff) << 2);
            // Back from page 0 is no jump.
            if (from != DECODE_PAGES_OFFSET) heat(h, page, slot);
            continue;
          }
          store<u64>(h, t, PC);
          ${LEAVE}
        }
        case 2: {
          // Cross: an instruction whose second half is in the next page.
          n++;
          const crossed = crossPage(h, base, slot);
          if (crossed == 0) {
            store<u64>(h, ${PC}, PC);
            raiseFault(h);
            ${LEAVE}
          }
          slot = crossed + (slot - page);
          page = crossed;
          continue;
        }
        case 3: {
          // Illegal
          n++;
          store<u64>(h, ${PC}, PC);
          raiseIllegal(h);
          ${LEAVE}
        }
        case 4: {
          // Translated
          n++;
          store<i32>(h, n, BUDGET);
          const target = load<u32>(slot, 4);
          call_indirect<void>(target >>> 8, target & 0xff, base);
          const after = load<i32>(h, BUDGET);
          store<u64>(h, load<u64>(h, STAT_TRANSLATED) + <u64>(n - after), STAT_TRANSLATED);
          if (load<u32>(h, EVENT)) {
            n = after;
            ${LEAVE}
          }
          if (after == n) {
            // It would not begin: too few instructions left, or the float unit is off.
            const borrowed = redecode(h, page, slot);
            slot = borrowed + (slot - page);
            page = borrowed;
            continue;
          }
          n = after;
          const t: u64 = load<u64>(h, PC);${GO}
        }
${OPERATIONS.map(caseSource).join('\n')}
        default:
          unreachable();
      }
      slot += w >>> 25;
    }
    if (rest < 0) {
      rest = 0;
      stopped = ${PC};
      store<u64>(h, stopped, PC);
    } else {
      stopped = u64.MAX_VALUE;
    }
    const done = chunk - rest;
    // A trap counts, though nothing retired: a handler that cannot run must not hold the hart.
    left -= max(done, 1);
    store<u64>(h, instret + <u64>done, INSTRET);
  }
  store<i32>(h, readFflags(), FFLAGS);
  return reason;
}
`;
}
