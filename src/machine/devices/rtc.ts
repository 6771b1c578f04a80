/**
 * Goldfish real-time clock: nanoseconds since 1970 in 64 bits, and one alarm. The wall clock is
 * handed in; a guest that sets the time moves only its own difference from it. The machine asks
 * `nextAlarm` when to call `update`.
 */
import {
  type FdtNode,
  type FdtPlace,
  fdtName,
  type IrqLine,
  type MmioDevice,
  NO_IRQ,
} from '../device.ts';
import { flag, type State, stateOf, u32, u64 } from '../state.ts';

const TIME_LOW = 0x00;
const TIME_HIGH = 0x04;
const ALARM_LOW = 0x08;
const ALARM_HIGH = 0x0c;
const IRQ_ENABLED = 0x10;
const CLEAR_ALARM = 0x14;
const ALARM_STATUS = 0x18;
const CLEAR_INTERRUPT = 0x1c;
const SIZE = 0x1000;

export class GoldfishRtc implements MmioDevice {
  readonly name = 'rtc';
  readonly size = SIZE;
  readonly state: State;
  readonly #wallClock: () => number;
  readonly #irq: IrqLine;
  readonly #fields = {
    /** Guest's time minus the wall clock, in nanoseconds modulo 2^64. */
    offset: 0n,
    /** High half that belongs to the last TIME_LOW read, or that the guest wrote before TIME_LOW. */
    timeHigh: 0,
    alarmHigh: 0,
    alarm: 0n,
    alarmSet: false,
    enabled: false,
    pending: false,
  };

  /** `wallClock` gives milliseconds since 1970. */
  constructor(wallClock: () => number, irq: IrqLine = NO_IRQ) {
    this.#wallClock = wallClock;
    this.#irq = irq;
    this.state = stateOf(
      1,
      this.#fields,
      {
        offset: u64,
        timeHigh: u32,
        alarmHigh: u32,
        alarm: u64,
        alarmSet: flag,
        enabled: flag,
        pending: flag,
      },
      { restored: () => this.#drive() },
    );
  }

  /** Wall-clock milliseconds at which the alarm will ring; Infinity if none is set. */
  nextAlarm(): number {
    const { alarmSet, alarm } = this.#fields;
    if (!alarmSet) return Number.POSITIVE_INFINITY;
    const wait = BigInt.asIntN(64, alarm - this.#now());
    return wait <= 0n ? this.#wallClock() : this.#wallClock() + Number(wait) / 1e6;
  }

  /** Rings the alarm if its time has come. */
  update(): void {
    const fields = this.#fields;
    if (!fields.alarmSet || BigInt.asIntN(64, fields.alarm - this.#now()) > 0n) return;
    fields.alarmSet = false;
    fields.pending = true;
    this.#drive();
  }

  load(offset: number, size: number): number {
    if (size !== 4) return 0;
    const fields = this.#fields;
    switch (offset) {
      case TIME_LOW: {
        const now = this.#now();
        fields.timeHigh = Number(now >> 32n);
        return Number(now & 0xffff_ffffn);
      }
      case TIME_HIGH:
        return fields.timeHigh;
      case ALARM_LOW:
        return Number(fields.alarm & 0xffff_ffffn);
      case ALARM_HIGH:
        return fields.alarmHigh;
      case IRQ_ENABLED:
        return fields.enabled ? 1 : 0;
      case ALARM_STATUS:
        return fields.alarmSet ? 1 : 0;
      default:
        return 0;
    }
  }

  store(offset: number, size: number, value: number): void {
    if (size !== 4) return;
    const fields = this.#fields;
    switch (offset) {
      case TIME_LOW: {
        const time = (BigInt(fields.timeHigh) << 32n) | BigInt(value);
        fields.offset = BigInt.asUintN(64, time - this.#wall());
        break;
      }
      case TIME_HIGH:
        fields.timeHigh = value;
        break;
      case ALARM_LOW:
        fields.alarm = (BigInt(fields.alarmHigh) << 32n) | BigInt(value);
        fields.alarmSet = true;
        this.update();
        break;
      case ALARM_HIGH:
        fields.alarmHigh = value;
        break;
      case IRQ_ENABLED:
        fields.enabled = (value & 1) !== 0;
        this.#drive();
        break;
      case CLEAR_ALARM:
        fields.alarmSet = false;
        break;
      case CLEAR_INTERRUPT:
        fields.pending = false;
        this.#drive();
        break;
    }
  }

  reset(): void {
    Object.assign(this.#fields, {
      offset: 0n,
      timeHigh: 0,
      alarmHigh: 0,
      alarm: 0n,
      alarmSet: false,
      enabled: false,
      pending: false,
    });
    this.#drive();
  }

  fdt({ base, irq, plic }: FdtPlace): FdtNode[] {
    return [
      {
        name: fdtName('rtc', base),
        properties: {
          compatible: 'google,goldfish-rtc',
          reg: [BigInt(base), BigInt(SIZE)],
          ...(irq !== undefined && { 'interrupt-parent': plic, interrupts: irq }),
        },
      },
    ];
  }

  #wall(): bigint {
    const milliseconds = this.#wallClock();
    const whole = Math.floor(milliseconds);
    return BigInt(whole) * 1_000_000n + BigInt(Math.floor((milliseconds - whole) * 1e6));
  }

  #now(): bigint {
    return BigInt.asUintN(64, this.#wall() + this.#fields.offset);
  }

  #drive(): void {
    this.#irq.set(this.#fields.pending && this.#fields.enabled);
  }
}
