/**
 * UART 16550A with its 16-byte receive FIFO, interrupts and loopback mode. What the guest sends
 * leaves at once through `onOutput`, byte by byte; what the host sends waits in a bounded queue and
 * enters the FIFO as the guest empties it, so nothing overruns: `receive` says how much was taken
 * and `onSpace` when the queue has emptied. Reference: TI TL16C550C data sheet, register tables.
 */
import {
  type FdtNode,
  type FdtPlace,
  fdtName,
  type IrqLine,
  type MmioDevice,
  NO_IRQ,
} from '../device.ts';
import { ByteRing, byteRing } from '../ring.ts';
import { flag, type State, stateOf, u8 } from '../state.ts';

const SIZE = 0x100;
const CLOCK_HZ = 3_686_400;
const FIFO_DEPTH = 16;
/** Host input that may wait: a screenful pasted; more is the sender's to keep. */
const INPUT_LIMIT = 4096;
/** Bytes in the FIFO that raise the receive interrupt, by FCR bits 7:6. */
const TRIGGER_LEVELS = [1, 4, 8, 14];

const RBR_THR = 0;
const IER = 1;
const IIR_FCR = 2;
const LCR = 3;
const MCR = 4;
const LSR = 5;
const MSR = 6;
const SCR = 7;

const IER_RECEIVED = 1;
const IER_THR_EMPTY = 2;
const IER_LINE_STATUS = 4;
const IER_MODEM_STATUS = 8;
const IER_MASK = IER_RECEIVED | IER_THR_EMPTY | IER_LINE_STATUS | IER_MODEM_STATUS;

const IIR_NONE = 0x01;
const IIR_MODEM_STATUS = 0x00;
const IIR_THR_EMPTY = 0x02;
const IIR_RECEIVED = 0x04;
const IIR_TIMEOUT = 0x0c;
const IIR_LINE_STATUS = 0x06;
const IIR_FIFO_ENABLED = 0xc0;

const FCR_ENABLE = 0x01;
const FCR_CLEAR_RECEIVE = 0x02;

const LCR_DIVISOR = 0x80;
const MCR_LOOP = 0x10;
const MCR_MASK = 0x1f;
const LSR_DATA_READY = 0x01;
const LSR_OVERRUN = 0x02;
const LSR_TRANSMITTER_EMPTY = 0x60;
/** CTS, DSR and DCD: the other end is there. */
const MSR_CONNECTED = 0xb0;

export interface UartOptions {
  readonly irq?: IrqLine;
  readonly onOutput: (byte: number) => void;
  /** All waiting input has gone to the guest: there is room again. */
  readonly onSpace?: () => void;
  /** The guest does nothing at this device but ask whether there is input. */
  readonly onPolled?: () => void;
}

/**
 * So many looks at the line status in a row, and nothing else, are somebody waiting for input: one
 * who waits for room to write finds it at the first look.
 */
const POLLS = 64;

export class Uart16550 implements MmioDevice {
  readonly name = 'uart';
  readonly size = SIZE;
  readonly state: State;
  readonly #irq: IrqLine;
  readonly #onOutput: (byte: number) => void;
  readonly #onPolled: () => void;
  /** Looks at the line status since the last other access. */
  #polls = 0;
  readonly #onSpace: () => void;
  readonly #fields = {
    fifo: new ByteRing(FIFO_DEPTH),
    input: new ByteRing(INPUT_LIMIT),
    divisorLow: 1,
    divisorHigh: 0,
    ier: 0,
    fcr: 0,
    lcr: 0,
    mcr: 0,
    scr: 0,
    /** The modem lines at the last look and which of them changed since the guest looked. */
    modem: MSR_CONNECTED,
    modemDelta: 0,
    overrun: false,
    /** The transmit interrupt is due: set when the register empties, cleared by reading IIR. */
    thrEmptied: false,
  };

  constructor({ irq = NO_IRQ, onOutput, onSpace = () => {}, onPolled = () => {} }: UartOptions) {
    this.#onPolled = onPolled;
    this.#irq = irq;
    this.#onOutput = onOutput;
    this.#onSpace = onSpace;
    this.state = stateOf(
      1,
      this.#fields,
      {
        fifo: byteRing(FIFO_DEPTH),
        input: byteRing(INPUT_LIMIT),
        divisorLow: u8,
        divisorHigh: u8,
        ier: u8,
        fcr: u8,
        lcr: u8,
        mcr: u8,
        scr: u8,
        modem: u8,
        modemDelta: u8,
        overrun: flag,
        thrEmptied: flag,
      },
      { restored: () => this.#drive() },
    );
  }

  /** Hands input to the guest; returns how many bytes were taken, which may be fewer than given. */
  receive(data: Uint8Array): number {
    const taken = this.#fields.input.push(data);
    this.#refill();
    return taken;
  }

  /** Bytes of input that the guest has not read yet. */
  get pending(): number {
    return this.#fields.input.length + this.#fields.fifo.length;
  }

  load(offset: number, size: number): number {
    if (size !== 1 || offset > SCR) return 0;
    const fields = this.#fields;
    if (offset !== LSR) this.#polls = 0;
    const divisor = (fields.lcr & LCR_DIVISOR) !== 0;
    switch (offset) {
      case RBR_THR:
        return divisor ? fields.divisorLow : this.#readByte();
      case IER:
        return divisor ? fields.divisorHigh : fields.ier;
      case IIR_FCR: {
        const cause = this.#cause();
        if (cause === IIR_THR_EMPTY) {
          fields.thrEmptied = false;
          this.#drive();
        }
        return cause | ((fields.fcr & FCR_ENABLE) !== 0 ? IIR_FIFO_ENABLED : 0);
      }
      case LCR:
        return fields.lcr;
      case MCR:
        return fields.mcr;
      case LSR: {
        if (++this.#polls === POLLS) this.#onPolled();
        const status =
          LSR_TRANSMITTER_EMPTY |
          (fields.fifo.length > 0 ? LSR_DATA_READY : 0) |
          (fields.overrun ? LSR_OVERRUN : 0);
        fields.overrun = false;
        this.#drive();
        return status;
      }
      case MSR: {
        const status = fields.modem | fields.modemDelta;
        fields.modemDelta = 0;
        this.#drive();
        return status;
      }
      default:
        return fields.scr;
    }
  }

  store(offset: number, size: number, value: number): void {
    if (size !== 1 || offset > SCR) return;
    const fields = this.#fields;
    this.#polls = 0;
    const divisor = (fields.lcr & LCR_DIVISOR) !== 0;
    switch (offset) {
      case RBR_THR:
        if (divisor) fields.divisorLow = value;
        else this.#transmit(value);
        break;
      case IER:
        if (divisor) {
          fields.divisorHigh = value;
        } else {
          // Enabling the transmit interrupt while the register is empty raises it.
          if ((value & ~fields.ier & IER_THR_EMPTY) !== 0) fields.thrEmptied = true;
          fields.ier = value & IER_MASK;
        }
        break;
      case IIR_FCR:
        this.#controlFifo(value);
        break;
      case LCR:
        fields.lcr = value;
        break;
      case MCR:
        fields.mcr = value & MCR_MASK;
        this.#modemLines();
        break;
      case SCR:
        fields.scr = value;
        break;
    }
    this.#drive();
  }

  reset(): void {
    this.#polls = 0;
    const fields = this.#fields;
    fields.fifo.clear();
    fields.input.clear();
    Object.assign(fields, {
      divisorLow: 1,
      divisorHigh: 0,
      ier: 0,
      fcr: 0,
      lcr: 0,
      mcr: 0,
      scr: 0,
      modem: MSR_CONNECTED,
      modemDelta: 0,
      overrun: false,
      thrEmptied: false,
    });
    this.#drive();
  }

  fdt({ base, irq, plic }: FdtPlace): FdtNode[] {
    return [
      {
        name: fdtName('serial', base),
        properties: {
          compatible: 'ns16550a',
          reg: [BigInt(base), BigInt(SIZE)],
          'clock-frequency': CLOCK_HZ,
          ...(irq !== undefined && { 'interrupt-parent': plic, interrupts: irq }),
        },
      },
    ];
  }

  #readByte(): number {
    const { fifo, input } = this.#fields;
    const byte = fifo.shift();
    const waited = input.length > 0;
    this.#refill();
    if (waited && input.length === 0) this.#onSpace();
    return Math.max(byte, 0);
  }

  #transmit(byte: number): void {
    const fields = this.#fields;
    fields.thrEmptied = true;
    if ((fields.mcr & MCR_LOOP) === 0) {
      this.#onOutput(byte);
      return;
    }
    if (fields.fifo.length >= this.#depth()) fields.overrun = true;
    else fields.fifo.push(Uint8Array.of(byte));
  }

  /** Moves waiting input into the FIFO, except in loopback mode, where the line is cut. */
  #refill(): void {
    const { fifo, input, mcr } = this.#fields;
    if ((mcr & MCR_LOOP) === 0) {
      const depth = this.#depth();
      while (fifo.length < depth && input.length > 0) {
        const part = input.peek(depth - fifo.length);
        fifo.push(part);
        input.drop(part.length);
      }
    }
    this.#drive();
  }

  #controlFifo(value: number): void {
    const fields = this.#fields;
    const toggled = ((fields.fcr ^ value) & FCR_ENABLE) !== 0;
    if (toggled || (value & FCR_CLEAR_RECEIVE) !== 0) fields.fifo.clear();
    fields.fcr = value & (FCR_ENABLE | 0xc0);
    this.#refill();
  }

  /** In loopback mode the four outputs are wired to the four inputs. */
  #modemLines(): void {
    const fields = this.#fields;
    const { mcr } = fields;
    const lines =
      (mcr & MCR_LOOP) === 0
        ? MSR_CONNECTED
        : ((mcr & 2) << 3) | ((mcr & 1) << 5) | ((mcr & 4) << 4) | ((mcr & 8) << 4);
    const changed = fields.modem ^ lines;
    // The ring indicator's delta bit marks its trailing edge only.
    const edges = changed & ~(lines & 0x40);
    fields.modemDelta |= (edges >> 4) & 0x0f;
    fields.modem = lines;
    this.#refill();
  }

  #depth(): number {
    return (this.#fields.fcr & FCR_ENABLE) !== 0 ? FIFO_DEPTH : 1;
  }

  /** The pending interrupt of highest priority, as IIR shows it. */
  #cause(): number {
    const { ier, fcr, fifo, overrun, thrEmptied, modemDelta } = this.#fields;
    if ((ier & IER_LINE_STATUS) !== 0 && overrun) return IIR_LINE_STATUS;
    if ((ier & IER_RECEIVED) !== 0 && fifo.length > 0) {
      const enabled = (fcr & FCR_ENABLE) !== 0;
      const trigger = enabled ? TRIGGER_LEVELS[fcr >> 6]! : 1;
      // Below the trigger level the timeout of four characters has passed: input comes at once.
      return fifo.length >= trigger ? IIR_RECEIVED : IIR_TIMEOUT;
    }
    if ((ier & IER_THR_EMPTY) !== 0 && thrEmptied) return IIR_THR_EMPTY;
    if ((ier & IER_MODEM_STATUS) !== 0 && modemDelta !== 0) return IIR_MODEM_STATUS;
    return IIR_NONE;
  }

  #drive(): void {
    this.#irq.set(this.#cause() !== IIR_NONE);
  }
}
