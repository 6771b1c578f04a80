/**
 * Lets events through to the page as fast as a person could read them: a guest can cause any number.
 * What is left out is counted, and told with the next one that passes.
 */
import type { MachineEvent } from '../machine/machine.ts';
import { TEXT_LIMIT } from './protocol.ts';

/** Events in a row, and how long until there is room for one more, in milliseconds. */
const BURST = 20;
const REFILL_MS = 3000;

export class EventGate {
  #room = BURST;
  #filledAt: number;
  #leftOut = 0;

  constructor(
    private readonly now: () => number,
    private readonly send: (event: MachineEvent) => void,
  ) {
    this.#filledAt = now();
  }

  pass(event: MachineEvent): void {
    const refills = Math.floor((this.now() - this.#filledAt) / REFILL_MS);
    this.#room = Math.min(BURST, this.#room + refills);
    this.#filledAt += refills * REFILL_MS;
    if (this.#room === 0) {
      this.#leftOut++;
      return;
    }
    this.#room--;
    const more = this.#leftOut === 0 ? '' : ` (${this.#leftOut} events before it were left out)`;
    this.#leftOut = 0;
    this.send({ ...event, text: event.text.slice(0, TEXT_LIMIT - more.length) + more });
  }
}
