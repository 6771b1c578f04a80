/**
 * The system controller through which bare-metal programs and kernels switch the machine off:
 * SiFive's test finisher. A store says how the machine is to end; the machine, told through
 * `onFinish`, does it. The device holds nothing.
 */
import { type FdtNode, type FdtPlace, fdtName, type MmioDevice } from '../device.ts';
import { NO_STATE } from '../state.ts';

export type Finish = { kind: 'poweroff' } | { kind: 'reboot' } | { kind: 'fail'; code: number };

const SIZE = 0x1000;
const FAIL = 0x3333;
const POWEROFF = 0x5555;
const REBOOT = 0x7777;

export class Syscon implements MmioDevice {
  readonly name = 'syscon';
  readonly size = SIZE;
  readonly state = NO_STATE;
  readonly #onFinish: (finish: Finish) => void;

  constructor(onFinish: (finish: Finish) => void) {
    this.#onFinish = onFinish;
  }

  load(): number {
    return 0;
  }

  store(offset: number, size: number, value: number): void {
    // 16-bit stores reach the three commands too, as on QEMU's device.
    if (offset !== 0 || size === 1) return;
    const command = value & 0xffff;
    if (command === POWEROFF) this.#onFinish({ kind: 'poweroff' });
    else if (command === REBOOT) this.#onFinish({ kind: 'reboot' });
    else if (command === FAIL) this.#onFinish({ kind: 'fail', code: value >>> 16 });
  }

  reset(): void {}

  fdt({ base, phandle }: FdtPlace): FdtNode[] {
    const action = (name: string, value: number): FdtNode => ({
      name,
      properties: { compatible: `syscon-${name}`, regmap: phandle, offset: 0, value },
    });
    return [
      {
        name: fdtName('test', base),
        phandle,
        properties: {
          compatible: ['sifive,test1', 'sifive,test0', 'syscon'],
          reg: [BigInt(base), BigInt(SIZE)],
        },
      },
      action('poweroff', POWEROFF),
      action('reboot', REBOOT),
    ];
  }
}
