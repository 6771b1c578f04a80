/**
 * Boots a guest image in QEMU and talks to it: the serial port, the console and the ports of the
 * exec protocol. It shows that an image is right by itself, whatever our own machine does.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bootArguments, qemuSystemRiscv64 } from '../../tools/qemu.mjs';

const execPorts = ['cmd', 'stdin', 'stdout', 'stderr', 'status'] as const;
type ExecPort = (typeof execPorts)[number];

export class QemuGuest {
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly ended: Promise<number | null>;
  #console = '';

  private constructor(process: ChildProcess, folder: string) {
    this.#process = process;
    this.#folder = folder;
    this.ended = new Promise((done) => process.on('exit', done));
    process.stdout?.on('data', (data: Buffer) => {
      this.#console += data.toString('latin1');
    });
  }

  static async start(options: { megabytes?: number; exec?: boolean; append?: string } = {}) {
    const { command, args } = await qemuSystemRiscv64();
    const folder = mkdtempSync(join(tmpdir(), 'guest-'));
    const append = `${options.exec ? 'tabvisor.exec ' : ''}${options.append ?? ''}`;
    const ports = options.exec
      ? execPorts.flatMap((name) => [
          ...['-chardev', `socket,id=${name},path=${join(folder, name)},server=on,wait=off`],
          ...['-device', `virtserialport,chardev=${name},name=org.tabvisor.exec.${name}`],
        ])
      : [];
    const process = spawn(
      command,
      [
        ...args,
        ...bootArguments({ megabytes: options.megabytes ?? 128, append }),
        ...['-serial', `file:${join(folder, 'serial')}`],
        ...['-chardev', 'stdio,id=terminal,signal=off', '-device', 'virtconsole,chardev=terminal'],
        ...ports,
      ],
      { stdio: ['pipe', 'pipe', 'ignore'] },
    );
    return new QemuGuest(process, folder);
  }

  /** What the console has shown so far, escape sequences left out. */
  get screen(): string {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is removed
    return this.#console.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '').replaceAll('\r', '');
  }

  get serial(): string {
    return readFileSync(join(this.#folder, 'serial'), 'latin1');
  }

  type(text: string): void {
    this.#process.stdin?.write(text);
  }

  /** Forgets what was shown, types, and waits for what the pattern describes. */
  async expect(pattern: RegExp, text = '', seconds = 60): Promise<string> {
    if (text !== '') {
      this.#console = '';
      this.type(text);
    }
    for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(20)) {
      if (pattern.test(this.screen)) return this.screen;
    }
    throw new Error(`The guest did not show ${pattern} in time. It showed:\n${this.screen}`);
  }

  async #port(name: ExecPort): Promise<Socket> {
    for (let tries = 100; ; tries -= 1) {
      const socket = connect(join(this.#folder, name));
      const error = await new Promise<Error | undefined>((done) => {
        socket.once('connect', () => done(undefined)).once('error', done);
      });
      if (!error) return socket;
      if (tries === 0) throw error;
      await sleep(50);
    }
  }

  /** The host's side of the exec protocol (guests/README.md). */
  async exec(command: string, stdin: Buffer = Buffer.alloc(0)) {
    const [cmd, input, stdout, stderr, status] = await Promise.all(
      execPorts.map((name) => this.#port(name)),
    );
    if (!cmd || !input || !stdout || !stderr || !status) throw new Error('A port is missing.');
    const collect = (socket: Socket) => {
      const parts: Buffer[] = [];
      socket.on('data', (data: Buffer) => parts.push(data));
      return () => Buffer.concat(parts);
    };
    const [out, err] = [collect(stdout), collect(stderr)];
    cmd.end(command);
    input.on('error', () => {}); // a command may end without reading all
    input.end(stdin);
    const code = await new Promise<number>((done, fail) => {
      let text = '';
      status.on('data', (data: Buffer) => {
        text += data.toString();
        if (text.endsWith('\n')) done(Number(text));
      });
      status.on('close', () => fail(new Error(`The guest ended first.\n${this.serial}`)));
    });
    await sleep(50); // QEMU's sockets are independent: let what was sent before arrive
    return { code, stdout: out(), stderr: err().toString() };
  }

  async stop(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.ended;
    rmSync(this.#folder, { recursive: true });
  }
}
