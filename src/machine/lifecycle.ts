/**
 * The states of a machine and what leads from one to the next. Relies on nothing; guarantees that
 * an action that does not fit the state is refused with a sentence and changes nothing.
 */

import { LifecycleError } from './errors.ts';
import { type Disposable, Listeners } from './host.ts';

export type MachineStateKind = 'created' | 'running' | 'paused' | 'off' | 'crashed' | 'destroyed';

export interface MachineState {
  readonly kind: MachineStateKind;
  /** Why: of a crash always, of being off where the guest gave one. */
  readonly reason?: string;
  /** What a bare-metal program ended with. */
  readonly exitCode?: number;
}

export type Action =
  | 'start'
  | 'pause'
  | 'resume'
  | 'reset'
  | 'powerOff'
  | 'capture'
  | 'restore'
  | 'destroy';

const allowed: Record<Action, readonly MachineStateKind[]> = {
  start: ['created', 'off', 'crashed'],
  pause: ['running'],
  resume: ['paused'],
  reset: ['running', 'paused', 'crashed'],
  powerOff: ['running', 'paused', 'crashed'],
  capture: ['running', 'paused'],
  restore: ['created', 'running', 'paused', 'off', 'crashed'],
  destroy: ['created', 'running', 'paused', 'off', 'crashed', 'destroyed'],
};

const inWords: Record<Action, string> = {
  start: 'started',
  pause: 'paused',
  resume: 'resumed',
  reset: 'reset',
  powerOff: 'powered off',
  capture: 'captured in a snapshot',
  restore: 'restored from a snapshot',
  destroy: 'destroyed',
};

const stateInWords: Record<MachineStateKind, string> = {
  created: 'it has not been started',
  running: 'it is running',
  paused: 'it is paused',
  off: 'it is off',
  crashed: 'it has crashed',
  destroyed: 'it has been destroyed',
};

export class Lifecycle {
  #state: MachineState = { kind: 'created' };
  readonly #listeners = new Listeners<[MachineState]>();

  get state(): MachineState {
    return this.#state;
  }

  onState(listener: (state: MachineState) => void): Disposable {
    return this.#listeners.add(listener);
  }

  /** Throws when `action` does not fit the present state. */
  require(action: Action): void {
    if (allowed[action].includes(this.#state.kind)) return;
    throw new LifecycleError(
      `The machine cannot be ${inWords[action]}: ${stateInWords[this.#state.kind]}.`,
    );
  }

  enter(state: MachineState): void {
    this.#state = state;
    this.#listeners.emit(state);
  }

  dispose(): void {
    this.#listeners.clear();
  }
}
