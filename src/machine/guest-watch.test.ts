import { expect, test } from 'vitest';
import type { AgentStats } from './agent.ts';
import { GuestWatch } from './guest-watch.ts';

const GUEST = { total: 1, free: 1, available: 1, cached: 0 };
const MEMORY = {
  target_bytes: 1,
  actual_bytes: 1,
  balloon: true,
  inflated_bytes: 0,
  reported_bytes: 0,
};
const AGENT: AgentStats = {
  memory: GUEST,
  load: [0, 0, 0],
  processes: 1,
  uptime_s: 1,
  filesystem: { size: 1, used: 1 },
};

/** How often kernel and agent are asked in so many seconds, of which the guest idles a share. */
function asked(seconds: number, idle: number, tells = true): [memory: number, agent: number] {
  const counts: [number, number] = [0, 0];
  const watch = new GuestWatch({
    refreshMemory: () => counts[0]++,
    refreshAgent: () => counts[1]++,
  });
  for (let i = 1; i <= seconds; i++) {
    const memory = tells ? { ...MEMORY, guest: GUEST } : MEMORY;
    watch.look({ wall_s: i, idle_s: i * idle, memory, ...(tells && { agent: AGENT }) });
  }
  return counts;
}

test('a guest at work is asked each second, its agent each fifth', () => {
  expect(asked(60, 0.5)).toEqual([60, 12]);
});

test('one that idles is asked more seldom', () => {
  expect(asked(60, 0.99)).toEqual([10, 2]);
});

test('one that has not told yet is asked until it does', () => {
  expect(asked(60, 0.99, false)).toEqual([60, 12]);
});
