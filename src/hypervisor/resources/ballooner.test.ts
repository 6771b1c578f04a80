import { beforeEach, describe, expect, it } from 'vitest';
import { createStore, type StoreApi } from 'zustand/vanilla';
import { EventLog } from '../../resources/event-log.ts';
import { FIGURES } from '../../worker/testing/figures.ts';
import type { FleetState } from '../fleet.ts';
import { figuresOf, vmView } from '../testing/vm-view.ts';
import type { VmView } from '../vm.ts';
import { Ballooner, guestOf } from './ballooner.ts';

const MIB = 1024 * 1024;

/** A VM of 512 MB that holds all of it and needs little. */
function view(
  id: string,
  memory: Partial<typeof FIGURES.memory> = {},
  change: Partial<VmView> = {},
) {
  return vmView({
    id,
    name: `vm-${id}`,
    status: 'running',
    figures: figuresOf({
      busy: 0.5,
      memoryInUse: 450 * MIB,
      memory: {
        ...FIGURES.memory,
        size: 512 * MIB,
        target: 512 * MIB,
        actual: 512 * MIB,
        balloon: true,
        guest: { total: 448 * MIB, free: 50 * MIB, available: 300 * MIB, cached: 250 * MIB },
        ...memory,
      },
    }),
    ...change,
  });
}

let time: number;
let asked: [id: string, target: number][];
let remembered: boolean;
let store: StoreApi<FleetState>;
let events: EventLog;

beforeEach(() => {
  time = 0;
  asked = [];
  remembered = true;
  store = createStore<FleetState>(() => ({ vms: [] }));
  events = new EventLog(() => time);
});

function start(budget: number | undefined) {
  const ballooner = new Ballooner({
    fleet: {
      store,
      events,
      get: (id) => ({ setMemoryTarget: (target) => asked.push([id, target]) }),
    },
    now: () => time,
    budget: () => budget,
    on: remembered,
    remember(on) {
      remembered = on;
    },
  });
  ballooner.start();
  return ballooner;
}

/** The workers report. */
function report(...vms: VmView[]): void {
  time += 5000;
  store.setState({ vms });
}

describe('automatic ballooning', () => {
  it('asks guests that can spare memory when the host has little, and says so', () => {
    start(960 * MIB);
    report(view('1'), view('2'));
    expect(asked.map(([id]) => id)).toEqual(['1', '2']);
    for (const [, target] of asked) expect(target).toBeLessThan(450 * MIB);
    expect(events.events.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'memory vm-1',
      'memory vm-2',
    ]);
  });

  it('does nothing before the host has been measured, with room, and between two looks', () => {
    start(undefined);
    report(view('1'));
    start(8192 * MIB);
    report(view('1'));
    expect(asked).toEqual([]);
    start(480 * MIB);
    report(view('1'));
    const { length } = asked;
    time += 1000;
    store.setState({ vms: [view('1')] });
    expect(asked).toHaveLength(length);
  });

  it('leaves alone who is paused, has no driver, or does not tell', () => {
    start(900 * MIB);
    report(
      view('1', {}, { status: 'paused' }),
      view('2', { balloon: false }),
      view('3', { guest: undefined }),
    );
    expect(asked).toEqual([]);
  });

  it('is switched off, which gives back what was taken, and stays off', () => {
    const ballooner = start(960 * MIB);
    store.setState({ vms: [view('1', { target: 300 * MIB }), view('2')] });
    asked = [];
    ballooner.switch(false);
    expect(asked).toEqual([['1', 512 * MIB]]);
    report(view('1'), view('2'));
    expect(asked).toHaveLength(1);
    expect(start(960 * MIB).automatic.getState().on).toBe(false);
    ballooner.switch(true);
    expect(start(960 * MIB).automatic.getState().on).toBe(true);
  });
});

describe('the limits of a guest', () => {
  it('what a person has set is its most, and its least', () => {
    const limits = { memory: { target: 400 * MIB, minimum: 200 * MIB } };
    expect(guestOf(view('1', {}, { limits }))).toMatchObject({
      minimum: 200 * MIB,
      maximum: 400 * MIB,
    });
  });

  it('without limits it keeps what its kernel reserves, and some more', () => {
    expect(guestOf(view('1'))).toMatchObject({ minimum: 104 * MIB, maximum: 512 * MIB });
    expect(guestOf(vmView())).toBeUndefined();
  });
});
