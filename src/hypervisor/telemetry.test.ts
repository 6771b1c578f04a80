import { describe, expect, it } from 'vitest';
import { createStore } from 'zustand/vanilla';
import { EventLog } from '../resources/event-log.ts';
import { windowUntil } from '../resources/series.ts';
import type { FleetState } from './fleet.ts';
import { Telemetry } from './telemetry.ts';
import { figuresOf, vmView } from './testing/vm-view.ts';
import type { VmView } from './vm.ts';

const T0 = 1_700_000_000_000;
const MIB = 1024 * 1024;

function setup() {
  const clock = { now: T0 };
  const store = createStore<FleetState>(() => ({ vms: [] }));
  const events = new EventLog(() => clock.now);
  const storage = { share: undefined as number | undefined };
  const telemetry = new Telemetry({
    fleet: { store, events },
    now: () => clock.now,
    budget: () => ({ cores: 2, memory: 1024 * MIB, memoryEnds: false }),
    stored: () => 50,
    storageShare: () => storage.share,
  });
  telemetry.start();
  const show = (...vms: VmView[]) => store.setState({ vms });
  const wait = (ms: number) => {
    clock.now += ms;
  };
  const read = (vm: string | undefined, metric: 'cpu_used' | 'cpu_idle' | 'mips') =>
    (vm === undefined ? telemetry.host : telemetry.series(vm))
      ?.read(metric, windowUntil(clock.now - 1, 20_000))
      .slice(-6);
  return { clock, events, read, show, storage, telemetry, wait };
}

const running = (id: string, busy: number, rest: Parameters<typeof figuresOf>[0] = {}) =>
  vmView({ id, name: `vm-${id}`, status: 'running', figures: figuresOf({ busy, ...rest }) });

describe('telemetry', () => {
  it('records each report once, and the host as the sum of the VMs', () => {
    const { read, show, wait } = setup();
    for (const busy of [0.5, 1]) {
      wait(1000);
      const view = running('1', busy);
      show(view, running('2', 0.25));
      // Something else about the VM changes: no new report.
      show({ ...view, title: 'x' }, running('2', 0.25));
    }
    expect(read('1', 'cpu_used')).toEqual([null, null, null, null, 0.5, 1]);
    expect(read(undefined, 'cpu_used')?.at(-1)).toBeCloseTo(1.25);
    expect(read(undefined, 'cpu_idle')?.at(-1)).toBeCloseTo(0.75);
  });

  it('fills a slow report over its time, and leaves a gap after silence and while paused', () => {
    const { read, show, wait } = setup();
    show(running('1', 0.5));
    wait(4000);
    show(running('1', 0.25));
    expect(read('1', 'cpu_used')).toEqual([null, 0.5, 0.25, 0.25, 0.25, 0.25]);
    wait(60_000);
    show(running('1', 0.75));
    expect(read('1', 'cpu_used')).toEqual([null, null, null, null, null, 0.75]);
    wait(1000);
    show({ ...running('1', 0), status: 'paused' });
    wait(1000);
    show(running('1', 1));
    expect(read('1', 'cpu_used')?.slice(-3)).toEqual([0.75, null, 1]);
  });

  it('adds up what a VM costs, a restart included, and keeps it when the VM is deleted', () => {
    const { show, telemetry, wait } = setup();
    show(running('1', 1, { instructions: 100, memoryInUse: 3600 }));
    wait(1000);
    show(running('1', 1, { instructions: 400, memoryInUse: 3600 }));
    wait(1000);
    show(vmView({ status: 'off', name: 'vm-1' }));
    wait(5000);
    show(running('1', 1, { instructions: 50, memoryInUse: 3600 }));
    show();
    expect(telemetry.costs.bills).toHaveLength(1);
    const [bill] = telemetry.costs.bills;
    expect(bill).toMatchObject({ name: 'vm-1', deleted: true });
    expect(bill?.total.instructions).toBeCloseTo(450);
    expect(bill?.total.cpu_s).toBeCloseTo(3);
    expect(bill?.total.memory_byte_hours).toBeCloseTo(3);
    expect(bill?.total.storage_byte_hours).toBeCloseTo((50 * 3) / 3600);
  });

  it('raises alerts, logs and tells them, and takes them back', () => {
    const { events, show, storage, telemetry, wait } = setup();
    const told: string[] = [];
    telemetry.onAlerts((raised) => told.push(raised.map(({ rule }) => rule.kind).join()));
    show(running('1', 1));
    show(vmView({ id: '1', name: 'vm-1', status: 'crashed', reason: 'Panic.' }));
    storage.share = 0.95;
    wait(1000);
    show(running('1', 1, { memoryInUse: 1000 * MIB }));
    expect(told).toEqual(['stopped', 'storage-full']);
    wait(16_000);
    show(running('1', 1, { memoryInUse: 1000 * MIB }));
    wait(16_000);
    show(running('1', 1, { memoryInUse: 1000 * MIB }));
    expect(telemetry.alerts.active.map(({ rule }) => rule.kind).sort()).toEqual([
      'host-memory',
      'storage-full',
    ]);
    expect(events.events.map(({ name, level, text }) => [name, level, text.split(':')[0]])).toEqual(
      [
        ['vm-1', 'error', 'VM stopped by itself'],
        ['This host', 'warning', 'Storage of the browser nearly full'],
        ['vm-1', 'info', 'VM stopped by itself'],
        ['This host', 'warning', 'Memory of the host nearly used up'],
      ],
    );
  });

  it('knows since when a guest has nothing to do, and what counts for admission', () => {
    const { clock, show, telemetry, wait } = setup();
    show({ ...running('1', 0.01, { memoryInUse: 7 }), memory: 128 * MIB });
    const since = clock.now;
    wait(1000);
    show({ ...running('1', 0), memory: 128 * MIB });
    expect(telemetry.idleSince('1')).toBe(since);
    wait(1000);
    show({ ...running('1', 0.5, { memoryInUse: 7 }), memory: 128 * MIB });
    expect(telemetry.idleSince('1')).toBeUndefined();
    expect(telemetry.loads()).toEqual([{ maximum: 128 * MIB, used: 7, busy: 0.5, live: true }]);
  });

  it('takes a moment now and then, as the agent needs it, for no work', () => {
    const { clock, show, telemetry, wait } = setup();
    const report = (busy: number) => {
      wait(1000);
      show({ ...running('1', busy), memory: 128 * MIB });
    };
    report(0.004);
    const since = clock.now;
    for (let second = 1; second <= 120; second++) report(second % 30 === 0 ? 0.13 : 0.004);
    expect(telemetry.idleSince('1')).toBe(since);
    // Little work, but all the time, is work.
    for (let second = 0; second < 30; second++) report(0.05);
    expect(telemetry.idleSince('1')).toBeUndefined();
    for (let second = 0; second < 60; second++) report(0.004);
    expect(telemetry.idleSince('1')).toBeGreaterThan(since);
  });
});
