/**
 * Memory of a real guest: the balloon in both directions, figures that agree with the guest's own,
 * free memory that is reported and then costs a snapshot nothing, and the agent. One guest serves
 * all, for a boot costs more than the rest.
 */
import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MIB } from '../../src/machine/memory-map.ts';
import { MemoryStore } from '../../src/machine/testing/memory-snapshots.ts';
import { Guest, stopGuests } from './guest.ts';

let guest: Guest;
beforeAll(async () => {
  guest = await Guest.boot();
}, 120_000);
afterAll(() => stopGuests(false));

/** Looks at the figures, asking the guest anew each time, until they are as they should be. */
async function until(what: string, is: (stats: ReturnType<typeof look>) => boolean) {
  const limit = performance.now() + 60_000;
  for (;;) {
    guest.machine.refreshMemory();
    await setTimeout(100);
    const stats = look();
    if (is(stats)) return stats;
    if (performance.now() > limit) throw new Error(`Never ${what}: ${JSON.stringify(stats)}`);
  }
}

function look() {
  return guest.machine.stats();
}

/** A line of the guest's /proc/meminfo, in bytes. */
async function meminfo(name: string): Promise<number> {
  const line = await guest.shell(`grep ^${name}: /proc/meminfo`);
  return Number(/(\d+) kB/.exec(line)?.[1]) * 1024;
}

describe('the balloon', () => {
  test('its driver comes after the prompt', async () => {
    const { memory } = await until('had a driver', (stats) => stats.memory.balloon);
    expect(memory).toMatchObject({ inflated_bytes: 0, target_bytes: 128 * MIB });
  });

  test('gives memory back and takes it again, as the guest sees it', async () => {
    const before = await meminfo('MemFree');
    guest.machine.setMemoryTarget(108 * MIB);
    const small = await until('gave 20 MB', ({ memory }) => memory.actual_bytes === 108 * MIB);
    expect(small.memory.inflated_bytes).toBe(20 * MIB);
    expect(before - (await meminfo('MemFree'))).toBeGreaterThan(12 * MIB);
    expect(await guest.shell('grep balloon_inflate /proc/vmstat')).toContain(' 5120\n');
    const free = await meminfo('MemFree');
    guest.machine.setMemoryTarget(128 * MIB);
    await until('had all again', ({ memory }) => memory.actual_bytes === 128 * MIB);
    expect(look().memory.inflated_bytes).toBe(0);
    expect((await meminfo('MemFree')) - free).toBeGreaterThan(12 * MIB);
  });

  test('the figures of its statistics are those of /proc/meminfo', async () => {
    const told = await until('told', ({ memory }) => (memory.guest?.total ?? 0) > 0);
    expect(told.memory.guest!.total).toBe(await meminfo('MemTotal'));
    const free = await meminfo('MemFree');
    await until('was as free', ({ memory }) => Math.abs(memory.guest!.free - free) < MIB);
    const available = await meminfo('MemAvailable');
    await until('was as empty', (stats) => {
      return Math.abs(stats.memory.guest!.available - available) < MIB;
    });
  });

  test('a guest without memory takes it back, and the host is told', async () => {
    const free = await meminfo('MemFree');
    const target = 128 * MIB - Math.floor((free - 8 * MIB) / MIB) * MIB;
    guest.machine.setMemoryTarget(target);
    await until('was small', ({ memory }) => memory.actual_bytes === target);
    await guest.shell('head -c 20000000 /dev/zero >/dev/shm/more; ls -l /dev/shm/more');
    const { memory } = await until('took some back', (stats) => {
      return stats.memory.inflated_bytes < 128 * MIB - target;
    });
    expect(memory.target_bytes).toBe(target);
    expect(guest.events.join('\n')).toMatch(/took memory back from the balloon/);
    expect(await guest.shell('wc -c </dev/shm/more')).toContain('20000000');
    await guest.shell('rm /dev/shm/more');
    guest.machine.setMemoryTarget(128 * MIB);
    await until('had all again', (stats) => stats.memory.inflated_bytes === 0);
  });
});

test('memory that was used and is free again is reported, and costs a snapshot nothing', async () => {
  const pages = async () => (await guest.machine.capture(new MemoryStore().sink())).pages;
  await guest.shell('head -c 24000000 /dev/urandom >/dev/shm/much');
  const reported = look().memory.reported_bytes;
  const [full, used] = [await pages(), look().ram_bytes];
  await guest.shell('rm /dev/shm/much');
  await until('reported it', ({ memory }) => memory.reported_bytes - reported > 12e6);
  const [less, left] = [await pages(), look().ram_bytes];
  console.log(`a snapshot: ${full} pages with a file of 24 MB, ${less} when it was gone`);
  expect((full - less) * 4096).toBeGreaterThan(12e6);
  expect(used - left).toBeGreaterThan(12e6);
  // Memory that it takes again is as empty as the kernel believes.
  const sum = await guest.shell('head -c 16000000 /dev/zero >/dev/shm/z; md5sum </dev/shm/z');
  expect(sum).toContain(createHash('md5').update(Buffer.alloc(16_000_000)).digest('hex'));
});

test('the agent tells of the guest what the guest says itself', async () => {
  guest.machine.refreshAgent();
  await guest.shell("sh -c 'while :; do :; done' & sleep 1");
  guest.machine.refreshAgent();
  const { agent } = await until('spoke', (stats) => {
    guest.machine.refreshAgent();
    return stats.agent?.top?.name === 'sh';
  });
  await guest.shell('kill %1');
  expect(agent!.top!.share).toBeGreaterThan(0.2);
  expect(agent!.memory.total).toBe(await meminfo('MemTotal'));
  const [up] = (await guest.shell('cat /proc/uptime')).split(' ');
  expect(Number(up) - agent!.uptime_s).toBeGreaterThanOrEqual(0);
  expect(Number(up) - agent!.uptime_s).toBeLessThan(60);
  expect(agent!.processes).toBeGreaterThan(3);
  expect(agent!.processes).toBeLessThan(30);
  const blocks = /(\d+) (\d+)/.exec(await guest.shell("stat -f -c '%b %S' /"));
  expect(agent!.filesystem.size).toBe(Number(blocks![1]) * Number(blocks![2]));
});
