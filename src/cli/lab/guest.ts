/**
 * One VM of a running lab, from the outside: its thread, its commands, what its console said last.
 * Guarantees that what is asked of it ends, with a sentence when its thread is gone.
 */
import { Worker } from 'node:worker_threads';
import * as v from 'valibot';
import { type LabMember, labSeconds } from '../../resources/lab.ts';
import { capOf, weightOf } from '../../resources/limits.ts';
import type { CpuScheduler } from '../../resources/scheduler.ts';
import {
  type Report,
  ReportSchema,
  type Request,
  type ThreadFigures,
  type ThreadSetup,
} from './thread-messages.ts';

/** Characters of a console that are kept for `logs` and readiness. */
const KEPT = 256 * 1024;
const RETRY_MS = 500;
/** A thread that was asked to end has this long. */
const END_MS = 5000;
const READY_S = 60;

export interface GuestFile {
  readonly path: string;
  readonly data: Uint8Array;
  readonly mode: string | undefined;
}

export interface ExecResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export type GuestState = 'starting' | 'running' | 'paused' | 'off' | 'crashed';

export interface GuestOptions {
  readonly member: LabMember;
  readonly words: readonly string[];
  readonly files: readonly GuestFile[];
  readonly scheduler: CpuScheduler;
  readonly line: (text: string) => void;
}

type Listener = (report: Report) => void;

export class Guest {
  state: GuestState = 'starting';
  reason = '';
  ready = false;
  figures: ThreadFigures | undefined;
  log = '';
  readonly #worker: Worker;
  readonly #listeners = new Set<Listener>();
  readonly #decoder = new TextDecoder();
  readonly #ended: Promise<void>;
  #listening = false;
  #line = '';
  #nextId = 1;
  static #count = 0;
  /** Its place at the scheduler: a new one may stand beside the one that it replaces. */
  readonly #claim = `${Guest.#count++}`;

  constructor(readonly options: GuestOptions) {
    const { member, words } = options;
    const setup: ThreadSetup = {
      tabvisor: 'vm',
      name: member.name,
      words: [...words],
      limits: member.limits,
    };
    this.#worker = new Worker(new URL(import.meta.url), { workerData: setup });
    this.#worker.on('message', (message: unknown) => this.#hear(v.parse(ReportSchema, message)));
    this.#ended = new Promise((resolve) => {
      const gone = (reason: string) => {
        if (this.state !== 'off' && this.state !== 'crashed') {
          this.#hear({ type: 'state', state: 'crashed', reason });
        }
        options.scheduler.remove(this.#claim);
        resolve();
      };
      this.#worker.on('error', (error) => gone(`Its thread failed: ${error.message}`));
      this.#worker.on('exit', () => gone('Its thread has ended.'));
    });
    options.scheduler.put(this.#claim, {
      weight: weightOf(member.limits),
      cap: capOf(member.limits),
      harts: 1,
      setQuota: (quota) =>
        this.#ask(quota === undefined ? { type: 'quota' } : { type: 'quota', quota }),
    });
  }

  get name(): string {
    return this.options.member.name;
  }

  get live(): boolean {
    return this.state !== 'off' && this.state !== 'crashed';
  }

  /** Resolves when its power is off, by whomever. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** Files, commands, then the readiness check; rejects with a sentence. */
  async bringUp(): Promise<void> {
    const { ready, run = [] } = this.options.member.vm;
    const seconds = ready?.within === undefined ? READY_S : labSeconds(ready.within);
    await this.#within(seconds, async (late) => {
      await this.#until(late, () => this.#listening);
      for (const { path, data, mode } of this.options.files) {
        const file = quoted(path);
        const chmod = mode === undefined ? '' : ` && chmod ${mode} ${file}`;
        const text = `mkdir -p "$(dirname ${file})" && cat >${file}${chmod}`;
        const { code, stderr } = await this.exec(text, {}, data);
        if (code !== 0) throw new Error(`${this.name}: ${path} could not be put there: ${stderr}`);
      }
      for (const text of run) {
        const { code, stderr } = await this.exec(text);
        if (code !== 0)
          throw new Error(`${this.name}: “${text}” ended with ${code}: ${stderr.trim()}`);
      }
      if (ready?.command !== undefined) {
        while ((await this.exec(ready.command)).code !== 0) {
          if (late()) break;
          await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        }
      }
      const { console: wanted } = ready ?? {};
      if (wanted !== undefined) await this.#until(late, () => this.log.includes(wanted));
      if (ready?.agent) {
        await this.#until(late, () => {
          this.#ask({ type: 'figures' });
          return this.figures?.agent !== undefined;
        });
      }
    });
    this.ready = true;
  }

  exec(
    text: string,
    output: { out?: (stream: 'stdout' | 'stderr', data: Uint8Array) => void } = {},
    stdin: Uint8Array = new Uint8Array(),
  ): Promise<ExecResult> {
    const id = this.#nextId++;
    const said = { stdout: '', stderr: '' };
    const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
    return new Promise((resolve, reject) => {
      const end = (act: () => void) => {
        this.#listeners.delete(listener);
        act();
      };
      const listener: Listener = (report) => {
        if (report.type === 'state' && !this.live) {
          end(() => reject(new Error(`${this.name} has ended: ${this.reason}`)));
        }
        if (!('id' in report) || report.id !== id) return;
        if (report.type === 'output') {
          output.out?.(report.stream, report.data);
          const more = decoders[report.stream].decode(report.data, { stream: true });
          said[report.stream] = (said[report.stream] + more).slice(-KEPT);
        } else if (report.type === 'exit') end(() => resolve({ code: report.code, ...said }));
        else end(() => reject(new Error(`${this.name}: ${report.reason}`)));
      };
      if (!this.live) {
        reject(new Error(`${this.name} is not running: ${this.reason}`));
        return;
      }
      this.#listeners.add(listener);
      this.#ask({ type: 'exec', id, text, stdin });
    });
  }

  pause(paused: boolean): void {
    this.#ask({ type: 'pause', paused });
  }

  /** The next figures, or the last ones of a guest that is gone. */
  async look(): Promise<ThreadFigures | undefined> {
    if (!this.live) return this.figures;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, RETRY_MS);
      const listener: Listener = ({ type }) => (type === 'figures' || type === 'ended') && done();
      this.#listeners.add(listener);
      const listeners = this.#listeners;
      function done() {
        clearTimeout(timer);
        listeners.delete(listener);
        resolve();
      }
      this.#ask({ type: 'figures' });
    });
    return this.figures;
  }

  /** Cuts its power. */
  async end(): Promise<void> {
    this.#ask({ type: 'end' });
    const late = setTimeout(() => void this.#worker.terminate(), END_MS);
    await this.#ended;
    clearTimeout(late);
  }

  #ask(request: Request): void {
    this.#worker.postMessage(request);
  }

  #hear(report: Report): void {
    switch (report.type) {
      case 'console':
        this.#print(this.#decoder.decode(report.data, { stream: true }));
        break;
      case 'event':
        this.options.line(report.text);
        break;
      case 'listening':
        this.#listening = true;
        break;
      case 'demand':
        this.options.scheduler.demand(this.#claim, report.demand);
        break;
      case 'figures':
        this.figures = report.figures;
        break;
      case 'state':
        this.state = report.state;
        this.reason = report.reason;
        break;
      case 'ended':
        if (this.live) this.state = 'off';
        break;
    }
    for (const listener of [...this.#listeners]) listener(report);
  }

  #print(text: string): void {
    this.log = (this.log + text).slice(-KEPT);
    const lines = (this.#line + text).split('\n');
    this.#line = (lines.pop() ?? '').slice(-KEPT);
    for (const line of lines) this.options.line(line.replace(/\r$/, ''));
  }

  async #until(late: () => boolean, met: () => boolean): Promise<void> {
    while (!met() && !late()) await new Promise((resolve) => setTimeout(resolve, RETRY_MS / 10));
  }

  /** Rejects when the time is up or the guest ends meanwhile. */
  async #within(seconds: number, work: (late: () => boolean) => Promise<void>): Promise<void> {
    let over = false;
    let timer: NodeJS.Timeout | undefined;
    const failed = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`${this.name} was not ready within ${seconds} s.`));
      }, seconds * 1000);
      void this.#ended.then(() => reject(new Error(`${this.name} has ended: ${this.reason}`)));
    });
    try {
      await Promise.race([work(() => over), failed]);
    } finally {
      over = true;
      clearTimeout(timer);
    }
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
