/**
 * Interrupts and faults meet the same state in both tiers, wherever in a program they come. A line
 * that rises between two calls of run() is taken before the next instruction. One that rises while
 * run() is at work is seen at the latest after LOOK_INTERVAL instructions, a timer's expiry after
 * CLOCK_INTERVAL more, in translated code too, though it never looks by itself.
 */
import { describe, expect, it } from 'vitest';
import { CLOCK_INTERVAL, LOOK_INTERVAL } from '../../src/core/layout.ts';
import { assemble } from '../../src/isa/assemble.ts';
import { BASE, program } from './programs.ts';
import { FORMS, TierRun } from './tier.ts';

const MSIP = 1 << 3;
const MTIP = 1 << 7;
/** mie and mstatus that let these in. */
const MIE = BigInt(MSIP | MTIP);
const MSTATUS_MIE = 8n;
const INTERRUPT = 1n << 63n;

/** Instructions that run before interrupts come: what is hot is translated by then. */
const WARM_UP = 4000;
const PLACES = 400;

describe.each(FORMS)('an interrupt between two slices, %s', (_, without) => {
  it.each([1, 2, 3, 5, 8, 13])('at every instruction of program %i', (seed) => {
    const { bytes, symbols } = assemble(program(seed), { base: BASE });
    const handler = symbols.get('handler') ?? 0n;
    const a = new TierRun(bytes);
    const b = new TierRun(bytes, { translate: { without } });
    for (const run of [a, b]) {
      while (run.hart.u64('instret') < WARM_UP) run.run(WARM_UP);
    }
    // Each tier may end a slice at its own place.
    const meet = (): void => {
      for (let i = 0; i < 10_000; i++) {
        const [left, right] = [a.hart.u64('instret'), b.hart.u64('instret')];
        if (left === right) return;
        (left < right ? a : b).run(1);
      }
    };
    meet();
    let taken = 0;
    for (let k = 1; k <= PLACES; k++) {
      const line = k % 2 ? MTIP : MSIP;
      a.run(k);
      b.run(k);
      meet();
      expect(b.state(), `after slice ${k}`).toEqual(a.state());
      const before = a.state();
      if (before.pc >= handler) continue;
      for (const { hart, core } of [a, b]) {
        hart.setU64('mie', MIE);
        hart.setU64('mstatus', hart.u64('mstatus') | MSTATUS_MIE);
        hart.setU32('ext_pending', line);
        // No budget: the interrupt is taken, and nothing runs.
        core.exports.run(0, 0);
        hart.setU32('ext_pending', 0);
      }
      const after = a.state();
      expect(b.state()).toEqual(after);
      expect(after.pc).toBe(handler);
      expect(after.mepc).toBe(before.pc);
      expect(after.mcause).toBe(INTERRUPT | BigInt(line === MTIP ? 7 : 3));
      expect(after.instret).toBe(before.instret);
      // It was not a fault: go back to the instruction itself.
      for (const { hart } of [a, b]) hart.setU64('mepc', before.pc - 4n);
      taken++;
    }
    expect(taken).toBeGreaterThan(PLACES / 4);
    expect(b.translator?.stats.regions).toBeGreaterThan(0);
    expect(b.hart.u64('stat_translated')).toBeGreaterThan(0n);
  });
});

/**
 * A loop that does not leave its region. The handler notes the instructions until then in s2 and
 * stops. Reading the time is where the world outside acts, as another thread could at any moment.
 */
const LOOP = (body: string) => `
    la t0, handler
    csrw mtvec, t0
    li t0, -1
    csrw mie, t0
    csrs menvcfg, t0
    li t0, 1000
    csrw stimecmp, t0
    csrsi mstatus, 8
    li s1, 0
  loop:
    ${body}
    addi s1, s1, 1
    j loop
    .align 2
  handler:
    csrr s2, minstret
    csrr s3, mcause
    li s4, 1
  stop:
    j stop
`;
const BODIES = {
  'a short loop': 'csrr t1, time',
  'a long block': `csrr t1, time\n${'add t2, t2, t1\n'.repeat(50)}`,
  calls: 'csrr t1, time\ncall leaf\ncall leaf\nj past\nleaf:\nxor t2, t2, t1\nret\npast:',
};

describe.each([['interpreted', undefined], ...FORMS] as const)('latency, %s', (_, without) => {
  const cases = Object.entries(BODIES).flatMap(([name, body]) =>
    // At rounds of all distances from where a chunk of instructions begins.
    [2000, 2011, 3777, 5000, 7919].map((round) => ({ name, body, round })),
  );

  /** Runs until the handler; the world outside acts when `time` has been read `round` times. */
  function latency(body: string, round: number, act: (run: TierRun) => number): number {
    let reads = 0;
    let at: bigint | undefined;
    let ticks = 0;
    let armed: TierRun | undefined;
    const { bytes } = assemble(LOOP(body), { base: BASE });
    const run = new TierRun(bytes, {
      ...(without && { translate: { without } }),
      host: {
        time: () => {
          if (armed && ++reads === round) {
            ticks = act(armed);
            // Not later than now: translated code counts instructions when it is left.
            at = armed.hart.u64('instret');
          }
          return ticks;
        },
      },
    });
    // Warmed up and translated; then one long call of run().
    for (let i = 0; i < 20; i++) run.run(500);
    armed = run;
    run.core.exports.run(0, 2_000_000);
    expect(run.hart.x(20)).toBe(1n);
    if (at === undefined) throw new Error('Nothing happened.');
    if (without) expect(run.hart.u64('stat_translated')).toBeGreaterThan(5000n);
    return Number(run.hart.x(18) - at);
  }

  it.each(cases)('$name, a line that rises at reading $round', ({ body, round }) => {
    const instructions = latency(body, round, ({ hart }) => {
      hart.setLine(7, true);
      return 0;
    });
    expect(instructions).toBeGreaterThanOrEqual(0);
    expect(instructions).toBeLessThanOrEqual(LOOK_INTERVAL);
  });

  it.each(cases)('$name, a timer that expires at reading $round', ({ body, round }) => {
    const instructions = latency(body, round, () => 1000);
    expect(instructions).toBeGreaterThanOrEqual(0);
    expect(instructions).toBeLessThanOrEqual(LOOK_INTERVAL + CLOCK_INTERVAL);
  });
});
