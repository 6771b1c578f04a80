/**
 * Runs a board: slices of instructions between turns of the event loop, sleep while the guest waits.
 * Relies on the board for everything that a guest does and on the host for time; guarantees that
 * the event loop gets its turn every few milliseconds, that a waiting guest costs nothing, and that
 * `run` ends only by `stop` or with the machine's request.
 */
import { ExitReason, PAGE_SIZE } from '../core/layout.ts';
import type { Board, MachineRequest } from './board.ts';
import type { GuestClock } from './clock.ts';
import type { ConsoleOutput } from './console.ts';
import type { CpuGovernor } from './governor.ts';
import type { MachineHost } from './host.ts';
import { HTIF_SETTLE } from './htif.ts';
import { AbsentMemory, type MemoryRange } from './memory.ts';
import { TICKS_PER_MS } from './memory-map.ts';
import { HartStatus } from './sbi/types.ts';

/** Time between two turns of the event loop, in milliseconds: typing and pausing answer at once. */
const SLICE_MS = 6;
/** Time between two looks at the clock, in milliseconds: bounds how late a timer interrupt is. */
const CHUNK_MS = 1;
/** Instructions of a chunk: the first one, and what measuring may lead to. */
const FIRST_BUDGET = 20_000;
const MIN_BUDGET = 2_000;
const MAX_BUDGET = 20_000_000;
/** Shorter waits are spent in turns of the event loop: timers are not exact enough. */
const SHORTEST_SLEEP_MS = 1;
/** Longer ones are split: hosts' timers overflow at 2^31 ms. */
const LONGEST_SLEEP_MS = 600_000;
/** Of a chunk that ends where a sampler wants to look. */
const LEAST_SAMPLED_BUDGET = 16;
const HART = 0;

export interface RunLoopOptions {
  readonly board: Board;
  readonly host: MachineHost;
  readonly clock: GuestClock;
  readonly console: ConsoleOutput;
  readonly governor: CpuGovernor;
  /** Called before each instruction, which then runs alone. */
  readonly trace?: () => void;
  /** While it gives a promise the guest stands still until that has resolved. */
  readonly hold?: () => Promise<void> | undefined;
  /** The guest reached for memory that has not come yet: `hold` gives a promise that it has. */
  readonly onAbsent?: (ranges: readonly MemoryRange[]) => void;
  /** Looks at the guest after numbers of instructions that it names itself. */
  readonly sampler?: Sampler;
}

/** Who looks at a running guest every now and then. */
export interface Sampler {
  /** Instructions until the next look. */
  interval(): number;
  /** `ms`: time in which the guest was at work since the last look. */
  look(ms: number): void;
}

/** One stretch from a start or resume to a stop; a stop ends its own stretch only. */
interface Stretch {
  stopped: boolean;
}

export class RunLoop {
  readonly #options: RunLoopOptions;
  #stretch: Stretch | undefined;
  #wake: (() => void) | undefined;
  #budget = FIRST_BUDGET;
  #idleMs = 0;
  #asleepSince: number | undefined;
  /** Instructions until the sampler looks. */
  #untilLook = 0;
  #sinceLookMs = 0;
  /** Stolen time that the guest has been told of, in nanoseconds. */
  #stealTold = 0;

  constructor(options: RunLoopOptions) {
    this.#options = options;
  }

  /** Milliseconds in which the guest waited. */
  get idleMs(): number {
    const asleep = this.#asleepSince;
    return this.#idleMs + (asleep === undefined ? 0 : this.#options.host.now() - asleep);
  }

  /** Runs until `stop`, then resolves to undefined; or until the machine is asked for something. */
  async run(): Promise<MachineRequest | undefined> {
    const { board, host, clock, console, governor } = this.#options;
    const stretch: Stretch = { stopped: false };
    this.stop();
    this.#stretch = stretch;
    clock.run();
    while (!stretch.stopped) {
      if (governor.wait() > 0) {
        await this.#starve(stretch);
        continue;
      }
      // A program that waits for its answer in a loop never idles.
      board.htif?.input();
      const from = host.now();
      const waiting = this.#slice();
      governor.ran(host.now() - from);
      console.flush();
      const { request } = board;
      if (request) {
        board.request = undefined;
        this.stop();
        return request;
      }
      const held = this.#options.hold?.();
      if (held) await held;
      if (waiting) await this.#idle(stretch);
      else if (governor.wait() === 0) await host.turn();
    }
    return undefined;
  }

  /** Ends the present stretch; nothing of the guest runs after this. */
  stop(): void {
    if (this.#stretch) this.#stretch.stopped = true;
    this.#stretch = undefined;
    this.#options.clock.stop();
    this.#endSleep();
    this.#options.governor.endSteal();
    this.wake();
  }

  /** Something happened that may concern a waiting guest. */
  wake(): void {
    this.#wake?.();
  }

  /** Runs for a few milliseconds; true when the guest waits for an interrupt. */
  #slice(): boolean {
    const { board, host, trace, sampler, governor } = this.#options;
    const { exports } = board.core;
    const firmwareHart = board.firmware.harts[HART]!;
    const from = host.now();
    const end = from + governor.slice(SLICE_MS);
    for (let before = from; ; ) {
      if (firmwareHart.status !== HartStatus.Started) {
        if (firmwareHart.status === HartStatus.Stopped) {
          board.ask({ kind: 'crash', reason: 'The guest stopped its last processor.' });
          return false;
        }
        if (!board.interruptPending()) return true;
        firmwareHart.status = HartStatus.Started;
      }
      board.updateTimers();
      const retired = board.hart.u64('instret');
      const budget = trace ? 1 : this.#nextBudget();
      let reason = trace ? exports.run(HART, 0) : ExitReason.Budget;
      // Without a budget the core only takes what interrupts are due: now the next one is known.
      if (reason === ExitReason.Budget) {
        trace?.();
        reason = exports.run(HART, budget);
      }
      board.translator?.poll();
      const now = host.now();
      if (sampler) this.#sample(sampler, Number(board.hart.u64('instret') - retired), now - before);
      switch (reason) {
        case ExitReason.Budget:
          if (!trace && !sampler) this.#measure(budget, now - before);
          if (!trace && board.hart.u64('instret') === retired) {
            board.ask({ kind: 'crash', reason: this.#trapLoop() });
          }
          break;
        case ExitReason.Wfi:
          board.updateTimers();
          if (!board.interruptPending()) return true;
          break;
        case ExitReason.Sbi:
          if (!this.#serveSbi()) return false;
          break;
        case ExitReason.Absent:
          this.#options.onAbsent?.([
            { offset: board.hart.u32('absent_page') * PAGE_SIZE, length: PAGE_SIZE },
          ]);
          return false;
        case ExitReason.Watch:
          this.#serveHtif();
          break;
        case ExitReason.Attention:
          board.hart.setU32('attention', 0);
          break;
      }
      if (board.request || now >= end || board.pages.full) return false;
      before = now;
    }
  }

  /** Budgets are exact, so each instruction that the guest runs is as likely to be looked at. */
  #sample(sampler: Sampler, ran: number, ms: number): void {
    this.#untilLook -= Math.max(0, ran);
    this.#sinceLookMs += ms;
    if (this.#untilLook > 0 || ran <= 0) return;
    sampler.look(this.#sinceLookMs);
    this.#sinceLookMs = 0;
    this.#untilLook = sampler.interval();
  }

  #nextBudget(): number {
    // Some more than is left: a trap takes of the budget too, and must not use up all of it.
    if (this.#options.sampler) return Math.max(this.#untilLook, LEAST_SAMPLED_BUDGET);
    const { mtimer } = this.#options.board;
    const deadline = mtimer.nextDeadline();
    if (deadline === Number.POSITIVE_INFINITY) return this.#budget;
    // The core knows stimecmp; a machine timer is seen between chunks only.
    const share = (deadline - mtimer.time()) / (CHUNK_MS * TICKS_PER_MS);
    if (share >= 1) return this.#budget;
    return Math.max(MIN_BUDGET, Math.floor(share * this.#budget));
  }

  /** Adapts the budget to how long the last one took. */
  #measure(budget: number, ms: number): void {
    const wanted = ms > 0 ? (budget * CHUNK_MS) / ms : 2 * budget;
    const next = Math.min(Math.max(wanted, this.#budget / 2), this.#budget * 2);
    this.#budget = Math.round(Math.min(Math.max(next, MIN_BUDGET), MAX_BUDGET));
  }

  /** Answers a call of the firmware; false: it needs memory first, and is made again then. */
  #serveSbi(): boolean {
    try {
      this.#options.board.firmware.serve(HART);
      return true;
    } catch (error) {
      if (!(error instanceof AbsentMemory)) throw error;
      this.#options.onAbsent?.(error.ranges);
      return false;
    }
  }

  #serveHtif(): void {
    const { board } = this.#options;
    const { htif, core, hart } = board;
    if (!htif || htif.serve(hart.u64('watch_addr'), hart.u32('watch_size'))) return;
    // What ends this run early is met again by the next one, or is the same page stored to.
    core.exports.run(HART, HTIF_SETTLE);
    htif.settle();
  }

  #trapLoop(): string {
    const { hart } = this.#options.board;
    const machine = hart.u32('priv') === 3;
    const hex = (value: bigint) => `0x${value.toString(16)}`;
    const [cause, tval] = machine
      ? [hart.u64('mcause'), hart.u64('mtval')]
      : [hart.u64('scause'), hart.u64('stval')];
    return (
      `The guest faults without end: its trap handler at ${hex(hart.pc)} faults itself ` +
      `(cause ${cause}, value ${hex(tval)}).`
    );
  }

  /** Waits until the quota of the processor lets the guest go on, which would if it could. */
  async #starve(stretch: Stretch): Promise<void> {
    const { board, clock, governor, host } = this.#options;
    governor.steal();
    for (let ms = governor.wait(); ms > 0 && !stretch.stopped; ms = governor.wait()) {
      const pause = Math.min(Math.max(ms, SHORTEST_SLEEP_MS), LONGEST_SLEEP_MS);
      const { done, wake } = host.sleep(pause);
      clock.leaveAlone(pause);
      this.#wake = wake;
      await done;
      if (stretch.stopped) return;
      this.#wake = undefined;
      clock.leaveAlone(0);
    }
    governor.endSteal();
    const told = Math.floor(governor.stealMs * 1e6) - this.#stealTold;
    if (told > 0 && board.firmware.addSteal(HART, BigInt(told))) this.#stealTold += told;
  }

  /** Waits until an interrupt is pending, the stretch is stopped, or a request is made. */
  async #idle(stretch: Stretch): Promise<void> {
    const { board, clock, governor, host } = this.#options;
    for (;;) {
      // Before the look at what is pending: a timer that expires between the two is then seen.
      const ms = this.#msToDeadline();
      board.updateTimers();
      board.htif?.input();
      if (stretch.stopped || board.request || board.interruptPending()) return;
      if (ms < SHORTEST_SLEEP_MS) {
        await host.turn();
        continue;
      }
      governor.idle(ms);
      this.#asleepSince = host.now();
      const asleep = Math.min(ms, LONGEST_SLEEP_MS);
      const { done, wake } = host.sleep(asleep);
      clock.leaveAlone(asleep);
      this.#wake = wake;
      await done;
      // After a stop the next stretch may be asleep already.
      if (stretch.stopped) return;
      this.#wake = undefined;
      clock.leaveAlone(0);
      this.#endSleep();
    }
  }

  #endSleep(): void {
    this.#idleMs = this.idleMs;
    this.#asleepSince = undefined;
  }

  /** Milliseconds until a timer interrupt that the guest waits for. */
  #msToDeadline(): number {
    const { board, host } = this.#options;
    const alarm = board.rtc.nextAlarm();
    const toAlarm = alarm === Number.POSITIVE_INFINITY ? alarm : alarm - host.wallClock();
    return Math.max(0, Math.min(board.msToTimer(), toAlarm));
  }
}
