import { beforeEach, describe, expect, it } from 'vitest';
import { CpuScheduler } from '../../resources/scheduler.ts';
import type { PageMessage } from '../../worker/protocol.ts';
import { VmLimits } from './vm-limits.ts';

let scheduler: CpuScheduler;
let sent: PageMessage[];

function vm(id: string, weight: number, into: PageMessage[] = []): VmLimits {
  return new VmLimits(id, { cpu: { weight } }, scheduler, (message) => into.push(message));
}

function quotas(messages: readonly PageMessage[]) {
  return messages.flatMap((message) => (message.type === 'quota' ? [message.quota] : []));
}

beforeEach(() => {
  scheduler = new CpuScheduler(1);
  sent = [];
});

describe('the limits of a VM', () => {
  it('are told to a worker that starts, and as they change', () => {
    const limits = new VmLimits(
      'a',
      {
        cpu: { cap: 30 },
        memory: { target: 64 << 20 },
        disk: { iops: 5 },
        disks: [{ bandwidth: 4096 }],
      },
      scheduler,
      (message) => sent.push(message),
    );
    limits.set({ ...limits.current, cpu: { cap: 20 } });
    expect(sent).toEqual([]);
    limits.started();
    expect(sent).toEqual([
      { type: 'disk-limits', all: { iops: 5 }, each: [{ bandwidth: 4096 }] },
      { type: 'memory', target: 64 << 20 },
      { type: 'quota', quota: 0.2 },
    ]);
    sent = [];
    limits.set({ cpu: { cap: 50 } });
    expect(sent).toContainEqual({ type: 'quota', quota: 0.5 });
    expect(sent).toContainEqual({ type: 'disk-limits', all: {}, each: [] });
  });

  it('one that idles, is paused or ends gives its share to the others', () => {
    const busy = vm('a', 100, sent);
    const other = vm('b', 300);
    for (const one of [busy, other]) {
      one.started();
      one.demanded(1);
    }
    expect(quotas(sent).at(-1)).toBe(0.25);
    other.demanded(0);
    expect(quotas(sent).at(-1)).toBeUndefined();
    other.demanded(1);
    expect(quotas(sent).at(-1)).toBe(0.25);
    other.pause(true);
    expect(quotas(sent).at(-1)).toBeUndefined();
    other.pause(false);
    expect(quotas(sent).at(-1)).toBe(0.25);
    other.ended();
    expect(quotas(sent).at(-1)).toBeUndefined();
    other.demanded(1);
    expect(quotas(sent).at(-1)).toBeUndefined();
  });
});
