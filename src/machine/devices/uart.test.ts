import { describe, expect, test } from 'vitest';
import { TestLine } from '../testing/line.ts';
import { checkState } from '../testing/state.ts';
import { Uart16550 } from './uart.ts';

function uart() {
  const output: number[] = [];
  const irq = new TestLine();
  let spaces = 0;
  let polled = 0;
  const device = new Uart16550({
    irq,
    onOutput: (byte) => output.push(byte),
    onSpace: () => spaces++,
    onPolled: () => polled++,
  });
  const get = (register: number) => device.load(register, 1);
  const put = (register: number, value: number) => device.store(register, 1, value);
  return { device, output, irq, get, put, spaces: () => spaces, polled: () => polled };
}

const text = (value: string) => new TextEncoder().encode(value);

describe('UART 16550A', () => {
  test('sends at once, and the divisor latch hides the data register', () => {
    const { output, get, put } = uart();
    put(3, 0x83);
    put(0, 2);
    put(1, 1);
    expect([get(0), get(1)]).toEqual([2, 1]);
    put(3, 0x03);
    put(0, 0x41);
    expect(output).toEqual([0x41]);
    expect(get(5)).toBe(0x60);
  });

  test('Linux’s autoconfiguration sees a 16550A', () => {
    const { get, put } = uart();
    // drivers/tty/serial/8250/8250_port.c, autoconfig(): IER keeps its four bits,
    put(1, 0);
    expect(get(1)).toBe(0);
    put(1, 0x0f);
    expect(get(1) & 0x0f).toBe(0x0f);
    put(1, 0);
    // the loopback of RTS and OUT2 shows as CTS and DCD,
    put(4, 0x10 | 0x0a);
    expect(get(6) & 0xf0).toBe(0x90);
    put(4, 0);
    expect(get(6) & 0xf0).toBe(0xb0);
    // and FIFOs show in the top bits of IIR once enabled.
    put(3, 0);
    put(2, 1);
    expect(get(2) >> 6).toBe(3);
    // No 16750 (64-byte FIFO bit), no XScale UART (IER bit 6).
    put(3, 0x80);
    put(2, 0x21);
    expect(get(2) >> 5).toBe(6);
    put(3, 0);
    put(1, 0x40);
    expect(get(1) & 0x40).toBe(0);
  });

  test('receive interrupt: trigger level, then timeout, gone when empty', () => {
    const { device, irq, get, put } = uart();
    put(2, 0x81); // FIFO on, trigger at 8
    put(1, 1);
    device.receive(text('hello'));
    expect(irq.level).toBe(true);
    expect(get(2)).toBe(0xcc);
    device.receive(text('abc'));
    expect(get(2)).toBe(0xc4);
    let read = '';
    while ((get(5) & 1) !== 0) read += String.fromCharCode(get(0));
    expect(read).toBe('helloabc');
    expect(irq.level).toBe(false);
    expect(get(2)).toBe(0xc1);
    expect(get(0)).toBe(0);
  });

  test('transmit interrupt: when enabled, after each byte, cleared by reading its cause', () => {
    const { irq, get, put } = uart();
    put(1, 2);
    expect(irq.level).toBe(true);
    expect(get(2)).toBe(0x02);
    expect(irq.level).toBe(false);
    expect(get(2)).toBe(0x01);
    put(0, 65);
    expect(irq.level).toBe(true);
    put(1, 0);
    expect(irq.level).toBe(false);
    put(1, 2);
    expect(irq.level).toBe(true);
  });

  test('received data comes before transmit and modem causes', () => {
    const { device, get, put } = uart();
    put(1, 0x0b);
    put(4, 0x10);
    put(4, 0);
    device.receive(text('x'));
    expect(get(2)).toBe(0x04);
    get(0);
    expect(get(2)).toBe(0x02);
    expect(get(2)).toBe(0x00);
    get(6);
    expect(get(2)).toBe(0x01);
  });

  test('input is bounded: what does not fit stays with the sender, who hears of room', () => {
    const { device, get, put, spaces } = uart();
    put(2, 1);
    const flood = new Uint8Array(10_000).map((_, i) => i % 251);
    const taken = device.receive(flood);
    expect(taken).toBe(4096);
    expect(device.receive(flood.subarray(taken))).toBe(16); // 16 of the first moved to the FIFO
    expect(device.receive(Uint8Array.of(1))).toBe(0);
    expect(device.pending).toBe(4096 + 16);
    const seen: number[] = [];
    while ((get(5) & 1) !== 0) seen.push(get(0));
    expect(seen).toEqual([...flood.subarray(0, 4096 + 16)]);
    expect(spaces()).toBe(1);
    expect(device.pending).toBe(0);
  });

  test('loopback keeps both directions inside, and reports an overrun', () => {
    const { device, output, get, put } = uart();
    put(2, 1);
    put(4, 0x10);
    for (let i = 0; i < 17; i++) put(0, i);
    device.receive(text('outside'));
    expect(output).toEqual([]);
    expect(get(5) & 0x02).toBe(0x02);
    expect(get(5) & 0x02).toBe(0);
    expect(Array.from({ length: 16 }, () => get(0))).toEqual([...Array(16).keys()]);
    expect(get(5) & 1).toBe(0);
    put(4, 0);
    expect(get(0)).toBe(text('o')[0]);
  });

  test('without FIFO one byte is visible at a time and none is lost', () => {
    const { device, get } = uart();
    device.receive(text('ab'));
    expect([get(5) & 1, get(0), get(0), get(5) & 1]).toEqual([1, 97, 98, 0]);
  });

  test('tells a guest that waits for input from one that prints', () => {
    const { device, get, put, polled } = uart();
    for (let i = 0; i < 1000; i++) {
      get(5);
      put(0, 65);
    }
    for (let i = 0; i < 1000; i++) get(i % 60 === 0 ? 2 : 5);
    expect(polled()).toBe(0);
    for (let i = 0; i < 1000; i++) get(5);
    expect(polled()).toBe(1);
    device.reset();
    for (let i = 0; i < 1000; i++) get(5);
    expect(polled()).toBe(2);
  });

  test('other widths and other offsets do nothing', () => {
    const { device, output } = uart();
    for (const size of [2, 4] as const) {
      device.store(0, size, 65);
      expect(device.load(4, size)).toBe(0);
    }
    device.store(9, 1, 65);
    expect(device.load(0x80, 1)).toBe(0);
    expect(output).toEqual([]);
  });

  test('reset and state', () => {
    const { device, irq, put } = uart();
    put(1, 2);
    device.receive(text('x'));
    device.reset();
    expect(irq.level).toBe(false);
    expect(device.pending).toBe(0);
    checkState(() => uart().device.state);
  });

  test('its device-tree node', () => {
    const [node] = uart().device.fdt({
      base: 0x1000_0000,
      irq: 10,
      plic: 3,
      phandle: 9,
      harts: [1],
    });
    expect(node).toEqual({
      name: 'serial@10000000',
      properties: {
        compatible: 'ns16550a',
        reg: [0x1000_0000n, 0x100n],
        'clock-frequency': 3_686_400,
        'interrupt-parent': 3,
        interrupts: 10,
      },
    });
  });
});
