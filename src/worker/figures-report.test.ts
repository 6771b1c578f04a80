import * as v from 'valibot';
import { expect, test } from 'vitest';
import { FiguresSchema } from './figures.ts';
import { figuresBetween, type Look, type Totals } from './figures-report.ts';

const DISK = {
  reads: 0,
  writes: 0,
  flushes: 0,
  discards: 0,
  read_bytes: 0,
  written_bytes: 0,
  errors: 0,
  latency_ms: 0,
  worst_ms: 0,
};
const TOTALS: Totals = {
  instructions: 0,
  idle_s: 0,
  steal_s: 0,
  ram_bytes: 1000,
  memory_bytes: 4096,
  memory: {
    target_bytes: 4096,
    actual_bytes: 4096,
    balloon: true,
    inflated_bytes: 0,
    reported_bytes: 0,
  },
  disks: [DISK],
  console_bytes: 0,
  traps: 0,
  interrupts: 0,
};

function look(at: number, totals: Partial<Totals> = {}, running = true): Look {
  return { at, running, wakeups: at / 10, totals: { ...TOTALS, ...totals } };
}

function figures(totals: Partial<Totals>, before: Partial<Totals> = {}, running = true) {
  // What a worker sends passes the page's check.
  return v.parse(FiguresSchema, figuresBetween(look(1000, before), look(3000, totals, running)));
}

test('rates are of the time between two looks', () => {
  expect(
    figures({ instructions: 8e6, console_bytes: 100, traps: 40, interrupts: 20 }),
  ).toMatchObject({ mips: 4, consoleBytes: 50, traps: 20, interrupts: 10, wakeups: 100 });
});

test('busy, steal and idle make one processor; a paused VM has none of them', () => {
  const half = figures({ idle_s: 1, steal_s: 0.5 });
  expect([half.busy, half.steal, half.idle]).toEqual([0.25, 0.25, 0.5]);
  const clocks = figures({ idle_s: 1.9, steal_s: 0.5 });
  expect(clocks.busy + clocks.steal + clocks.idle).toBeCloseTo(1);
  const paused = figures({ idle_s: 1 }, {}, false);
  expect([paused.busy, paused.steal, paused.idle]).toEqual([0, 0, 0]);
});

test('a disk: rates, the mean of the answers, the slowest one', () => {
  const disk = { ...DISK, reads: 10, writes: 6, flushes: 4, read_bytes: 8192, latency_ms: 50 };
  expect(figures({ disks: [{ ...disk, worst_ms: 12, errors: 2 }] }).disks).toEqual([
    {
      reads: 5,
      writes: 3,
      flushes: 2,
      readBytes: 4096,
      writtenBytes: 0,
      latency: 2.5,
      worstLatency: 12,
      errors: 2,
    },
  ]);
  expect(figures({}).disks[0]!.latency).toBe(0);
});

test('a total that went back, at a reset, counts from zero', () => {
  expect(figures({ traps: 10 }, { traps: 5000 }).traps).toBe(5);
});

test('what guest and agent tell is passed on', () => {
  const guest = { total: 4000, free: 1000, available: 2000, cached: 500 };
  const told = figures({
    memory: { ...TOTALS.memory, inflated_bytes: 96, guest },
    agent: {
      memory: guest,
      load: [1, 0.5, 0.2],
      processes: 9,
      uptime_s: 77,
      filesystem: { size: 100, used: 50 },
      top: { name: 'sh', share: 0.9 },
    },
  });
  expect(told.memory).toMatchObject({ size: 4096, inflated: 96, guest });
  expect(told.agent).toEqual({
    load: [1, 0.5, 0.2],
    processes: 9,
    uptime: 77,
    filesystem: { size: 100, used: 50 },
    top: { name: 'sh', share: 0.9 },
  });
  expect(figures({}).agent).toBeUndefined();
});
