import { beforeEach, describe, expect, it } from 'vitest';
import { sbiCall, serveSbiCall } from './sbi.ts';
import { addSteal } from './sta.ts';
import {
  HartStatus,
  type SbiArguments,
  SbiError,
  type SbiHart,
  type SbiPlatform,
} from './types.ts';

const ALL_ONES = 0xffff_ffff_ffff_ffffn;
const RAM = 0x8000_0000n;
const RAM_SIZE = 0x2_0000n;

class FakeHart implements SbiHart {
  status: HartStatus = HartStatus.Started;
  stealMemory: bigint | undefined;
  readonly log: string[] = [];
  readonly memory = new Map<bigint, bigint>();
  constructor(readonly id: number) {}
  csr = (number: number): bigint => BigInt(number);
  setTimer = (deadline: bigint): unknown => this.log.push(`timer ${deadline}`);
  setSoftwareInterrupt = (pending: boolean): unknown => this.log.push(`ipi ${pending}`);
  flushTranslations = (): unknown => this.log.push('flush');
  enter = (address: bigint, opaque: bigint): unknown => this.log.push(`enter ${address} ${opaque}`);
  resume = (address: bigint, opaque: bigint): unknown =>
    this.log.push(`resume ${address} ${opaque}`);
  loadVirtual = (address: bigint): bigint | undefined => this.memory.get(address);
}

let harts: FakeHart[];
let output: string;
let input: number[];
let resets: string[];
let ram: Uint8Array;
let platform: SbiPlatform;

const isMemory = (address: bigint, length: bigint): boolean =>
  address >= RAM && length <= RAM_SIZE && address - RAM + length <= RAM_SIZE;

beforeEach(() => {
  harts = [new FakeHart(0), new FakeHart(1)];
  output = '';
  input = [];
  resets = [];
  ram = new Uint8Array(Number(RAM_SIZE));
  platform = {
    harts,
    isMemory,
    readMemory(address, length) {
      if (!isMemory(address, length)) return undefined;
      const at = Number(address - RAM);
      return ram.slice(at, at + Number(length));
    },
    writeMemory(address, data) {
      if (!isMemory(address, BigInt(data.length))) return false;
      ram.set(data, Number(address - RAM));
      return true;
    },
    consoleWrite(data) {
      output += String.fromCharCode(...data);
    },
    consoleRead: (most) => Uint8Array.from(input.splice(0, most)),
    reset: (type, failed) => resets.push(`${type} ${failed}`),
  };
});

function call(extension: bigint, functionId: bigint, ...args: bigint[]) {
  const all = [0n, 0n, 0n, 0n, 0n, 0n].map((zero, i) => args[i] ?? zero);
  return sbiCall(platform, harts[0]!, extension, functionId, all as unknown as SbiArguments);
}

const BASE = 0x10n;
const TIME = 0x54494d45n;
const IPI = 0x735049n;
const RFENCE = 0x52464e43n;
const HSM = 0x48534dn;
const SRST = 0x53525354n;
const DBCN = 0x4442434en;

describe('SBI base', () => {
  it('says version 2.0 and passes the machine IDs on', () => {
    expect(call(BASE, 0n)).toEqual({ error: 0n, value: 0x0200_0000n });
    expect(call(BASE, 4n)?.value).toBe(0xf11n);
    expect(call(BASE, 5n)?.value).toBe(0xf12n);
    expect(call(BASE, 6n)?.value).toBe(0xf13n);
    expect(call(BASE, 7n)?.error).toBe(SbiError.NotSupported);
  });

  it('probes exactly what is there', () => {
    for (const id of [BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN, 0n, 1n, 2n, 8n]) {
      expect(call(BASE, 3n, id)?.value).toBe(1n);
    }
    for (const id of [9n, 0x504d55n, 0x53555350n, ALL_ONES]) {
      expect(call(BASE, 3n, id)?.value).toBe(0n);
    }
  });

  it('refuses what does not exist', () => {
    expect(call(0x0a00_0000n, 0n)).toEqual({ error: SbiError.NotSupported, value: 0n });
    for (const id of [TIME, IPI, RFENCE, HSM, SRST, DBCN]) {
      expect(call(id, 99n)?.error).toBe(SbiError.NotSupported);
      expect(call(id, ALL_ONES)?.error).toBe(SbiError.NotSupported);
    }
  });
});

describe('SBI timer, IPI and fences', () => {
  it('sets the timer', () => {
    expect(call(TIME, 0n, ALL_ONES)).toEqual({ error: 0n, value: 0n });
    expect(harts[0]!.log).toEqual([`timer ${ALL_ONES}`]);
  });

  it('sends to the harts of the mask, or to all', () => {
    expect(call(IPI, 0n, 1n, 1n)?.error).toBe(0n);
    expect(harts.map((hart) => hart.log)).toEqual([[], ['ipi true']]);
    expect(call(IPI, 0n, 0n, ALL_ONES)?.error).toBe(0n);
    expect(harts[0]!.log).toEqual(['ipi true']);
  });

  it('refuses a mask that names a hart that is not there, and then does nothing', () => {
    expect(call(IPI, 0n, 0b101n, 0n)?.error).toBe(SbiError.InvalidParam);
    expect(call(RFENCE, 1n, 1n, 2n)?.error).toBe(SbiError.InvalidParam);
    expect(call(IPI, 0n, 0b11n, ALL_ONES - 1n)?.error).toBe(SbiError.InvalidParam);
    expect(harts.flatMap((hart) => hart.log)).toEqual([]);
  });

  it('flushes translations for SFENCE.VMA, and nothing for FENCE.I', () => {
    expect(call(RFENCE, 0n, 3n, 0n)?.error).toBe(0n);
    expect(harts[1]!.log).toEqual([]);
    expect(call(RFENCE, 1n, 2n, 0n, 0n, ALL_ONES)?.error).toBe(0n);
    expect(call(RFENCE, 2n, 2n, 0n, 0x1000n, 0x1000n, 5n)?.error).toBe(0n);
    expect(harts.map((hart) => hart.log)).toEqual([[], ['flush', 'flush']]);
    expect(call(RFENCE, 3n, 3n)?.error).toBe(SbiError.NotSupported);
  });
});

describe('SBI hart state management', () => {
  it('starts a stopped hart at an address in RAM', () => {
    harts[1]!.status = HartStatus.Stopped;
    expect(call(HSM, 2n, 1n)?.value).toBe(1n);
    expect(call(HSM, 0n, 1n, 0n, 0n)?.error).toBe(SbiError.InvalidAddress);
    expect(call(HSM, 0n, 1n, RAM + 1n, 0n)?.error).toBe(SbiError.InvalidAddress);
    expect(call(HSM, 0n, 1n, RAM + 8n, 42n)?.error).toBe(0n);
    expect(harts[1]!.log).toEqual([`enter ${RAM + 8n} 42`]);
    expect(call(HSM, 2n, 1n)?.value).toBe(0n);
    expect(call(HSM, 0n, 1n, RAM, 0n)?.error).toBe(SbiError.AlreadyAvailable);
    expect(call(HSM, 0n, 2n, RAM, 0n)?.error).toBe(SbiError.InvalidParam);
    expect(call(HSM, 2n, ALL_ONES)?.error).toBe(SbiError.InvalidParam);
  });

  it('stops and suspends the caller', () => {
    expect(call(HSM, 3n, 0n)).toEqual({ error: 0n, value: 0n });
    expect(harts[0]!.status).toBe(HartStatus.Suspended);
    expect(call(HSM, 3n, 0x8000_0000n, RAM, 9n)).toBeUndefined();
    expect(harts[0]!.log).toEqual([`resume ${RAM} 9`]);
    expect(call(HSM, 3n, 0x8000_0000n, 12n)?.error).toBe(SbiError.InvalidAddress);
    expect(call(HSM, 3n, 5n)?.error).toBe(SbiError.InvalidParam);
    expect(call(HSM, 1n)).toBeUndefined();
    expect(harts[0]!.status).toBe(HartStatus.Stopped);
  });
});

describe('SBI reset', () => {
  it('shuts down and reboots, with the reason', () => {
    for (const args of [
      [0n, 0n],
      [1n, 0n],
      [2n, 1n],
    ] as const) {
      expect(call(SRST, 0n, ...args)?.error).toBe(0n);
    }
    expect(resets).toEqual(['shutdown false', 'reboot false', 'reboot true']);
  });

  it('refuses other types and reasons', () => {
    expect(call(SRST, 0n, 3n, 0n)?.error).toBe(SbiError.InvalidParam);
    expect(call(SRST, 0n, 0n, 2n)?.error).toBe(SbiError.InvalidParam);
    expect(call(SRST, 0n, 0xf000_0000n, 0n)?.error).toBe(SbiError.NotSupported);
    expect(resets).toEqual([]);
  });
});

describe('SBI steal-time accounting', () => {
  const STA = 0x535441n;

  it('clears the memory that it is given and adds stolen time there', () => {
    ram.fill(0xff, 64, 128);
    expect(call(STA, 0n, RAM + 64n, 0n, 0n)?.error).toBe(SbiError.Success);
    expect(ram.slice(64, 128)).toEqual(new Uint8Array(64));
    addSteal(platform, harts[0]!, 5_000_000_000n);
    addSteal(platform, harts[0]!, 7n);
    const view = new DataView(ram.buffer, 64, 64);
    expect(view.getBigUint64(8, true)).toBe(5_000_000_007n);
    expect(view.getUint32(0, true)).toBe(4);
    expect(ram[63]).toBe(0);
  });

  it('tells nothing any more when asked to end', () => {
    call(STA, 0n, RAM, 0n, 0n);
    expect(call(STA, 0n, ALL_ONES, ALL_ONES, 0n)?.error).toBe(SbiError.Success);
    addSteal(platform, harts[0]!, 1n);
    expect(ram.slice(0, 64)).toEqual(new Uint8Array(64));
  });

  it.each([
    ['flags', [RAM, 0n, 1n], SbiError.InvalidParam],
    ['an address that is not aligned', [RAM + 8n, 0n, 0n], SbiError.InvalidParam],
    ['an address above RAM', [RAM + RAM_SIZE, 0n, 0n], SbiError.InvalidAddress],
    ['an address of more than 64 bits', [RAM, 1n, 0n], SbiError.InvalidAddress],
  ])('refuses %s', (_, args, error) => {
    expect(call(STA, 0n, ...args)?.error).toBe(error);
    expect(harts[0]!.stealMemory).toBeUndefined();
  });

  it('has no other function', () => {
    expect(call(STA, 1n, RAM, 0n, 0n)?.error).toBe(SbiError.NotSupported);
  });
});

describe('SBI debug console', () => {
  it('writes from memory', () => {
    ram.set([104, 105], 0x10);
    expect(call(DBCN, 0n, 2n, RAM + 0x10n, 0n)).toEqual({ error: 0n, value: 2n });
    expect(output).toBe('hi');
    call(DBCN, 2n, 0x121n);
    expect(output).toBe('hi!');
  });

  it('adds the carriage return that a terminal wants, and counts what it was given', () => {
    ram.set(new TextEncoder().encode('a\nb\r\n'), 0x10);
    expect(call(DBCN, 0n, 5n, RAM + 0x10n, 0n)).toEqual({ error: 0n, value: 5n });
    expect(output).toBe('a\r\nb\r\n');
  });

  it('writes a part of what would take too long', () => {
    expect(call(DBCN, 0n, RAM_SIZE, RAM, 0n)?.value).toBe(65536n);
  });

  it('reads into memory no more than was typed', () => {
    input = [1, 2, 3];
    expect(call(DBCN, 1n, 100n, RAM, 0n)).toEqual({ error: 0n, value: 3n });
    expect([...ram.subarray(0, 4)]).toEqual([1, 2, 3, 0]);
    expect(call(DBCN, 1n, 100n, RAM, 0n)?.value).toBe(0n);
  });

  it('refuses ranges that are not RAM', () => {
    for (const [length, low, high] of [
      [1n, 0n, 0n],
      [2n, RAM + RAM_SIZE - 1n, 0n],
      [ALL_ONES, RAM, 0n],
      [1n, RAM, 1n],
      [1n, ALL_ONES, 0n],
    ] as const) {
      expect(call(DBCN, 0n, length, low, high)?.error).toBe(SbiError.InvalidParam);
      expect(call(DBCN, 1n, length, low, high)?.error).toBe(SbiError.InvalidParam);
    }
    expect(output).toBe('');
  });
});

describe('SBI legacy calls', () => {
  it('prints, reads, and says that nothing was typed', () => {
    input = [65];
    expect(call(1n, 0n, 0x41n)).toEqual({ error: 0n });
    expect(output).toBe('A');
    expect(call(2n, 0n)).toEqual({ error: 65n });
    expect(call(2n, 0n)).toEqual({ error: -1n });
  });

  it('takes the hart mask from virtual memory, all harts for null', () => {
    harts[0]!.memory.set(0x4000n, 2n);
    harts[0]!.memory.set(0x5000n, 4n);
    expect(call(4n, 0n, 0x4000n)).toEqual({ error: 0n });
    expect(call(5n, 0n, 0x4000n)).toEqual({ error: 0n });
    expect(call(6n, 0n, 0n)).toEqual({ error: 0n });
    expect(call(7n, 0n, 0x4000n)).toEqual({ error: 0n });
    expect(harts.map((hart) => hart.log)).toEqual([['flush'], ['ipi true', 'flush', 'flush']]);
    expect(call(4n, 0n, 0x4008n)?.error).toBe(SbiError.InvalidAddress);
    expect(call(4n, 0n, 0x5000n)?.error).toBe(SbiError.InvalidParam);
  });

  it('sets the timer, clears the interrupt, shuts down', () => {
    call(0n, 0n, 77n);
    call(3n, 0n);
    call(8n, 0n);
    expect(harts[0]!.log).toEqual(['timer 77', 'ipi false']);
    expect(resets).toEqual(['shutdown false']);
  });
});

describe('a call from a hart', () => {
  const registers = (a7: bigint, a6: bigint, ...args: bigint[]) => {
    const values = new Map<number, bigint>([
      [17, a7],
      [16, a6],
      [11, 0xbbn],
    ]);
    for (const [i, value] of args.entries()) values.set(10 + i, value);
    return {
      values,
      pc: 0x1000n,
      x: (i: number) => values.get(i) ?? 0n,
      setX: (i: number, value: bigint) => values.set(i, value),
    };
  };

  it('puts error and value into a0 and a1 and goes on behind the ECALL', () => {
    const regs = registers(0x99n, 0n);
    serveSbiCall(platform, harts[0]!, regs);
    expect(regs.values.get(10)).toBe(ALL_ONES - 1n);
    expect(regs.values.get(11)).toBe(0n);
    expect(regs.pc).toBe(0x1004n);
  });

  it('leaves a1 alone in a legacy call', () => {
    const regs = registers(2n, 0n);
    serveSbiCall(platform, harts[0]!, regs);
    expect(regs.values.get(10)).toBe(ALL_ONES);
    expect(regs.values.get(11)).toBe(0xbbn);
  });

  it('leaves the registers alone when the call does not return', () => {
    const regs = registers(HSM, 3n, 0x8000_0000n, RAM, 1n);
    serveSbiCall(platform, harts[0]!, regs);
    expect(regs.values.get(10)).toBe(0x8000_0000n);
    expect(regs.pc).toBe(0x1000n);
  });
});
