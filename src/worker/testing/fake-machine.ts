/**
 * A machine made of a few lines of TypeScript, for tests of what serves it: it prints a boot log,
 * gives a prompt and knows commands that make a VM behave well or badly. It keeps the promises of
 * `ServedMachine` and nothing else; no guest code runs.
 */
import type { MachineHost, Sleep } from '../../machine/host.ts';
import type { ConsoleSource, GuestState } from '../protocol.ts';
import type { MachineFactory, ServedMachine } from '../vm-server.ts';

const encoder = new TextEncoder();
const PROMPT = '\x1b[1;32mroot@micro\x1b[0m:\x1b[1;34m~\x1b[0m# ';

class FakeMachine implements ServedMachine {
  state: GuestState = { kind: 'created' };
  private stateListeners: ((state: GuestState) => void)[] = [];
  private consoleListeners: ((data: Uint8Array, source: ConsoleSource) => void)[] = [];
  private line = '';
  private program: 'boot' | 'shell' | 'yes' | 'spin' = 'boot';
  private step = 0;
  private idleMs = 0;
  private sleptSince = 0;
  private instructions = 0;
  private sleeping: Sleep | undefined;
  private size = '80x24';
  private target: number;

  constructor(
    private readonly host: MachineHost,
    private readonly memory: number,
  ) {
    this.target = memory;
  }

  onState(listener: (state: GuestState) => void): void {
    this.stateListeners.push(listener);
  }

  onConsole(listener: (data: Uint8Array, source: ConsoleSource) => void): void {
    this.consoleListeners.push(listener);
  }

  start(): void {
    this.become({ kind: 'running' });
    void this.run();
  }

  pause(): void {
    this.become({ kind: 'paused' });
  }

  resume(): void {
    this.become({ kind: 'running' });
    void this.run();
  }

  reset(): void {
    this.program = 'boot';
    this.step = 0;
    this.line = '';
    if (this.state.kind !== 'running') this.resume();
  }

  powerOff(): void {
    this.become({ kind: 'off', reason: 'Powered off from the page.' });
  }

  async capture() {
    return { pause_ms: 0, pages: 0, total_ms: 0 };
  }

  async restore(): Promise<void> {
    this.become({ kind: 'paused' });
    this.resume();
  }

  resize(columns: number, rows: number): void {
    this.size = `${columns}x${rows}`;
  }

  onEvent(): void {}

  setCpuQuota(): void {}

  onCpuDemand(): void {}

  setDiskLimits(): void {}

  setMemoryTarget(bytes: number): void {
    this.target = bytes;
  }

  totals() {
    return {
      instructions: this.instructions,
      idle_s: (this.idleMs + (this.sleptSince ? this.host.now() - this.sleptSince : 0)) / 1000,
      steal_s: 0,
      ram_bytes: Math.min(this.memory, 48 << 20),
      memory_bytes: this.memory,
      memory: {
        target_bytes: this.target,
        actual_bytes: this.target,
        balloon: true,
        inflated_bytes: this.memory - this.target,
        reported_bytes: 0,
      },
      disks: [],
      console_bytes: 0,
      traps: 0,
      interrupts: 0,
    };
  }

  consoleInput(data: Uint8Array): void {
    for (const char of new TextDecoder().decode(data)) {
      if (char === '\x03') {
        this.program = 'shell';
        this.line = '';
        this.print(`^C\r\n${PROMPT}`);
      } else if (char === '\r') {
        this.print('\r\n');
        this.command(this.line.trim());
        this.line = '';
      } else if (char === '\x7f') {
        if (this.line !== '') this.print('\b \b');
        this.line = this.line.slice(0, -1);
      } else {
        this.line += char;
        this.print(char);
      }
    }
    this.sleeping?.wake();
  }

  private command(line: string): void {
    const [name, ...rest] = line.split(' ');
    if (name === 'yes') this.program = 'yes';
    else if (name === 'spin') this.program = 'spin';
    else if (name === 'stty') this.print(`${this.size}\r\n${PROMPT}`);
    else if (name === 'echo') this.print(`${rest.join(' ')}\r\n${PROMPT}`);
    else if (name === 'uname') this.print(`Linux micro 6.12.107 riscv64 GNU/Linux\r\n${PROMPT}`);
    else if (name === 'poweroff') this.become({ kind: 'off', reason: 'The guest powered off.' });
    else if (name === 'panic') {
      this.become({ kind: 'crashed', reason: 'Kernel panic - not syncing: sysrq triggered crash' });
    } else this.print(name === '' ? PROMPT : `sh: ${name}: not found\r\n${PROMPT}`);
  }

  private async run(): Promise<void> {
    while (this.state.kind === 'running') {
      const pause = this.slice();
      if (pause === 0) {
        await this.host.turn();
        continue;
      }
      this.sleptSince = this.host.now();
      this.sleeping = this.host.sleep(pause);
      await this.sleeping.done;
      this.idleMs += this.host.now() - this.sleptSince;
      this.sleptSince = 0;
    }
  }

  /** Does some work; returns how long to sleep then, in milliseconds. */
  private slice(): number {
    this.instructions += 400_000;
    if (this.program === 'boot') return this.bootStep();
    if (this.program === 'yes') {
      this.print('y\r\n'.repeat(4000));
      return 0;
    }
    if (this.program === 'spin') {
      const end = this.host.now() + 8;
      while (this.host.now() < end);
      return 0;
    }
    return Number.POSITIVE_INFINITY;
  }

  private bootStep(): number {
    this.step++;
    const time = (this.step * 0.021).toFixed(6);
    if (this.step < 30) {
      this.print(`[    ${time}] riscv: subsystem ${this.step} is ready\r\n`, 'serial');
      return 15;
    }
    this.print(`[    ${time}] Run /init as init process\r\n`, 'serial');
    this.print(`\r\nTabvisor micro\r\n\r\n${PROMPT}`);
    this.program = 'shell';
    return Number.POSITIVE_INFINITY;
  }

  private print(text: string, source: ConsoleSource = 'hvc'): void {
    for (const listener of this.consoleListeners) listener(encoder.encode(text), source);
  }

  private become(state: GuestState): void {
    this.state = state;
    this.sleeping?.wake();
    for (const listener of this.stateListeners) listener(state);
  }
}

export const createFakeMachine: MachineFactory = async (config, _core, host) =>
  new FakeMachine(host, config.memory);
