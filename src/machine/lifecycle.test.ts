import { describe, expect, it } from 'vitest';
import { LifecycleError } from './errors.ts';
import { type Action, Lifecycle, type MachineState, type MachineStateKind } from './lifecycle.ts';

describe('life cycle', () => {
  const table: Record<MachineStateKind, Action[]> = {
    created: ['start', 'destroy'],
    running: ['pause', 'reset', 'powerOff', 'destroy'],
    paused: ['resume', 'reset', 'powerOff', 'destroy'],
    off: ['start', 'destroy'],
    crashed: ['start', 'reset', 'powerOff', 'destroy'],
    destroyed: ['destroy'],
  };
  const actions: Action[] = ['start', 'pause', 'resume', 'reset', 'powerOff', 'destroy'];

  for (const [kind, legal] of Object.entries(table) as [MachineStateKind, Action[]][]) {
    it(`${kind}: allows ${legal.join(', ')} and refuses the rest with a sentence`, () => {
      const lifecycle = new Lifecycle();
      lifecycle.enter({ kind });
      for (const action of actions) {
        if (legal.includes(action)) lifecycle.require(action);
        else expect(() => lifecycle.require(action)).toThrow(LifecycleError);
      }
    });
  }

  it('tells every listener, also when one throws', () => {
    const lifecycle = new Lifecycle();
    const heard: MachineState[] = [];
    lifecycle.onState(() => {
      throw new Error('listener');
    });
    const second = lifecycle.onState((state) => heard.push(state));
    expect(() => lifecycle.enter({ kind: 'crashed', reason: 'why' })).toThrow('listener');
    second.dispose();
    expect(() => lifecycle.enter({ kind: 'off' })).toThrow('listener');
    expect(heard).toEqual([{ kind: 'crashed', reason: 'why' }]);
    expect(lifecycle.state).toEqual({ kind: 'off' });
  });
});
