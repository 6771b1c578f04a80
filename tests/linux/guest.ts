/**
 * A whole machine in this process for tests: boots the template micro, types, reads the screen,
 * runs commands by the exec protocol. What is waited for is waited for without a time of its own;
 * the test runner's limit catches a guest that hangs, and the error then shows the screen.
 */

import { nodeHost } from '../../src/cli/node-host.ts';
import { loadCore, loadTemplate, loadTranslations } from '../../src/cli/repository.ts';
import type { BlockBackend } from '../../src/machine/devices/virtio/block-backend.ts';
import type { ShareBackend } from '../../src/machine/devices/virtio/share-backend.ts';
import { EXEC_APPEND, GuestCommand } from '../../src/machine/exec.ts';
import {
  type BootConfig,
  type EngineFeature,
  Machine,
  type MachineState,
  type Tier,
} from '../../src/machine/machine.ts';
import { MIB } from '../../src/machine/memory-map.ts';
import type { TranslatorOptions } from '../../src/translator/translator.ts';

export interface GuestOptions {
  readonly megabytes?: number;
  readonly append?: string;
  readonly firmware?: Uint8Array;
  readonly disks?: readonly BlockBackend[];
  readonly shares?: readonly ShareBackend[];
  readonly columns?: number;
  readonly rows?: number;
  /** A command to run instead of a conversation. */
  readonly exec?: string;
  readonly stdin?: Uint8Array;
  /** As TABVISOR_TIER says unless given. */
  readonly tier?: Tier;
  /** Features of the engine to do without. */
  readonly without?: readonly EngineFeature[];
  readonly translator?: TranslatorOptions;
  /** With the translations made ahead of time, where they have been built. */
  readonly library?: boolean;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** The host's name in it is another one once the guest has been told that it is a clone. */
export const PROMPT = /root@[\w-]+:[^\n]*# $/;

/** What runs guest code: TABVISOR_TIER=interpreter runs these tests on one of the two alone. */
const tier = (['interpreter', 'translator', 'both'] as const).find(
  (name): name is Tier => name === process.env.TABVISOR_TIER,
);

const running = new Set<Guest>();

/** Stops what a test has left running; shows what the guest showed when the test has failed. */
export function stopGuests(failed: boolean): void {
  for (const guest of running) {
    if (failed) console.error(`The guest showed:\n${guest.screen.slice(-4000)}`);
    guest.stop();
  }
}

export class Guest {
  readonly machine: Machine;
  /** Both of the console, and each. */
  #screen = '';
  serial = '';
  terminal = '';
  readonly events: string[] = [];
  readonly #waiting = new Set<() => void>();

  private constructor(machine: Machine) {
    this.machine = machine;
    machine.onConsole((data, source) => {
      const text = Buffer.from(data).toString('latin1');
      this.#screen += text;
      if (source === 'hvc') this.terminal += text;
      else this.serial += text;
      this.#changed();
    });
    machine.onEvent(({ text }) => this.events.push(text));
    machine.onState(() => this.#changed());
  }

  /** A machine that has been made and not yet started. */
  static async create(options: GuestOptions = {}, command?: GuestCommand): Promise<Guest> {
    const [{ manifest, kernel, initrd }, core] = await Promise.all([
      loadTemplate('micro'),
      loadCore(),
    ]);
    const append = [manifest.append, options.append ?? '', command ? EXEC_APPEND : '']
      .filter(Boolean)
      .join(' ');
    const { firmware } = options;
    const boot: BootConfig = firmware
      ? { kind: 'firmware', firmware, kernel, initrd, append }
      : { kind: 'linux', kernel, initrd, append };
    const { columns = 80, rows = 24 } = options;
    const machine = Machine.create(
      {
        memory: (options.megabytes ?? 128) * MIB,
        boot,
        core,
        shared: false,
        tier: options.tier ?? tier,
        without: options.without,
        translator: options.translator,
        translations: options.library ? await loadTranslations() : undefined,
        disks: options.disks,
        shares: options.shares,
        ports: command?.ports,
        console: { columns, rows },
      },
      nodeHost(),
    );
    const guest = new Guest(machine);
    running.add(guest);
    return guest;
  }

  /** A guest at its shell's prompt. */
  static async boot(options: GuestOptions = {}): Promise<Guest> {
    const guest = await Guest.create(options);
    guest.machine.start();
    await guest.shows(PROMPT);
    return guest;
  }

  /** Boots, runs one command, and switches the machine off. */
  static async run(command: string, options: GuestOptions = {}): Promise<CommandResult> {
    const { guest, result } = await Guest.command(command, options);
    guest.stop();
    return result;
  }

  /** Boots and runs one command; the machine stays on. */
  static async command(command: string, options: GuestOptions = {}) {
    const stdout: Uint8Array[] = [];
    const stderr: Uint8Array[] = [];
    let input = options.stdin ?? new Uint8Array(0);
    let settle: { done(code: number): void; fail(error: Error): void };
    const code = new Promise<number>((done, fail) => {
      settle = { done, fail };
    });
    const session = new GuestCommand(new TextEncoder().encode(command), {
      onStdout: (data) => stdout.push(data),
      onStderr: (data) => stderr.push(data),
      onExit: (status) => settle.done(status),
      onFailure: (reason) => settle.fail(new Error(`${reason}\n${guest.serial}`)),
      onStdinSpace: () => {
        input = input.subarray(session.write(input));
        if (input.length === 0) session.end();
      },
    });
    const guest = await Guest.create(options, session);
    session.attach((name) => guest.machine.port(name));
    guest.machine.onState((state) => {
      if (state.kind === 'off' || state.kind === 'crashed') {
        settle.fail(new Error(`The machine ended: ${JSON.stringify(state)}\n${guest.serial}`));
      }
    });
    guest.machine.start();
    const result = {
      code: await code,
      stdout: Buffer.concat(stdout),
      stderr: Buffer.concat(stderr).toString(),
    };
    return { guest, result };
  }

  /** What both consoles have shown since `expect` typed last, escape sequences left out. */
  get screen(): string {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is removed
    return this.#screen.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '').replaceAll('\r', '');
  }

  type(text: string): void {
    this.machine.consoleInput(new TextEncoder().encode(text));
  }

  /** Forgets what was shown, types, and waits for what the pattern describes. */
  async expect(pattern: RegExp, text: string): Promise<string> {
    this.#screen = '';
    this.type(text);
    return this.shows(pattern);
  }

  /** Types a command line and gives what it printed. */
  async shell(line: string): Promise<string> {
    const shown = await this.expect(/\n[\s\S]*root@[\w-]+:[^\n]*# $/, `${line}\n`);
    return shown.slice(shown.indexOf('\n') + 1, shown.lastIndexOf('root@'));
  }

  async shows(pattern: RegExp): Promise<string> {
    await this.#until(() => pattern.test(this.screen), `show ${pattern}`);
    return this.screen;
  }

  /** Waits for the machine to be in a state of that kind. */
  async enters(kind: MachineState['kind']): Promise<MachineState> {
    await this.#until(() => this.machine.state.kind === kind, `be ${kind}`);
    return this.machine.state;
  }

  stop(): void {
    this.machine.destroy();
    running.delete(this);
  }

  #changed(): void {
    for (const look of [...this.#waiting]) look();
  }

  #until(condition: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const { state } = this.machine;
        if (condition()) resolve();
        else if (state.kind === 'destroyed' || state.kind === 'off' || state.kind === 'crashed') {
          const ended = `The guest is ${state.kind} (${state.reason ?? 'no reason'})`;
          reject(new Error(`${ended} and did not ${what}. It showed:\n${this.screen}`));
        } else return;
        this.#waiting.delete(look);
      };
      this.#waiting.add(look);
      look();
    });
  }
}
