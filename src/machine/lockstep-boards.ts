/**
 * A whole computer twice, one interpreted and one translated, as `tabvisor run --lockstep` boots it:
 * the same program, devices, random numbers, and a clock that the number of retired instructions
 * drives, so that both see everything at the same instruction. All of the hart is compared after
 * each slice, all of RAM now and then. Relies on devices that answer at once: there are no disks,
 * whose requests end when the host likes.
 */
import { ExitReason, PAGE_SIZE, RAM_OFFSET } from '../core/layout.ts';
import type { EngineFeature } from '../translator/features.ts';
import { Board, type MachineRequest, type Tier } from './board.ts';
import { GuestClock } from './clock.ts';
import { ConsoleOutput, PanicWatcher } from './console.ts';
import type { ConsolePortOptions } from './devices/virtio/console-port.ts';
import type { MachineHost } from './host.ts';
import { HTIF_SETTLE } from './htif.ts';
import { type BootConfig, planBoot } from './loader/boot.ts';
import { Lockstep, type LockstepDifference } from './lockstep.ts';
import { RAM_BASE } from './memory-map.ts';
import { HartStatus } from './sbi/types.ts';

/** How fast the guest's clock goes: these many instructions are a millisecond. */
const INSTRUCTIONS_PER_MS = 100_000;
/** Slices are of random length up to this, so that they end anywhere in a region. */
const LONGEST_SLICE = 40_000;
/** Instructions between two comparisons of all RAM. */
const RAM_INTERVAL = 20_000_000;
/** Instructions between two turns of the event loop. */
const TURN_INTERVAL = 500_000;
const HART = 0;
/** What the guest takes for the time of day when it starts, in milliseconds since 1970. */
const START_OF_TIME = 1_700_000_000_000;

export interface LockstepOptions {
  readonly memory: number;
  readonly boot: BootConfig;
  readonly core: WebAssembly.Module;
  readonly shared: boolean;
  readonly seed?: number;
  /** The tier beside the interpreter: what is hot, unless told otherwise. */
  readonly tier?: Exclude<Tier, 'interpreter'>;
  readonly without?: readonly EngineFeature[];
  /** Ports of the virtio console, made once for each side. */
  readonly ports?: (side: 'reference' | 'subject') => readonly ConsolePortOptions[];
  readonly onConsole: (data: Uint8Array) => void;
  /** Ends the run after so many instructions. */
  readonly limit?: number;
  /** Gives the event loop its turn. */
  readonly turn: () => Promise<void>;
}

export interface LockstepEnd {
  readonly instructions: number;
  /** Of those, what translated code ran. */
  readonly translated: number;
  readonly slices: number;
  readonly request: MachineRequest | undefined;
  /** Absent: the tiers agreed on everything. */
  readonly difference?: LockstepDifference & {
    /** Where the slice began and how long it was. */
    readonly pc: bigint;
    readonly length: number;
  };
}

/** Numbers that repeat, for slices and for the guest (mulberry32). */
function sequence(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

interface Side {
  readonly board: Board;
  readonly console: ConsoleOutput;
}

export class LockstepBoards {
  readonly reference: Board;
  readonly subject: Board;
  readonly #options: LockstepOptions;
  readonly #console: ConsoleOutput;
  readonly #lockstep: Lockstep;
  readonly #random: () => number;
  /** The clock of both, in milliseconds: it stands while a slice runs. */
  #now = 0;
  #stopped = false;
  /** Half of a command is in tohost: this slice waits for the other half; so does the next one. */
  #isSettling = false;
  #settlesNext = false;

  constructor(options: LockstepOptions) {
    this.#options = options;
    this.#random = sequence(options.seed ?? 1);
    const reference = this.#side('reference', 'interpreter');
    const subject = this.#side('subject', options.tier ?? 'both');
    this.reference = reference.board;
    this.subject = subject.board;
    this.#console = reference.console;
    const side = ({ board }: Side) => ({
      core: board.core,
      hart: board.hart,
      run: (budget: number) => board.core.exports.run(HART, budget),
    });
    this.#lockstep = new Lockstep(side(reference), side(subject));
  }

  #side(name: 'reference' | 'subject', tier: Tier): Side {
    const { memory, boot, core, shared, without, seed = 1, ports, onConsole } = this.#options;
    const random = sequence(seed + 1);
    const host: MachineHost = {
      now: () => this.#now,
      wallClock: () => START_OF_TIME + Math.floor(this.#now),
      entropy: (into) => {
        for (let i = 0; i < into.length; i++) into[i] = random();
      },
      turn: this.#options.turn,
      sleep: () => ({ done: Promise.resolve(), wake: () => {} }),
    };
    const clock = new GuestClock(() => this.#now);
    clock.run();
    const console = new ConsoleOutput(name === 'reference' ? onConsole : () => {});
    const board: Board = new Board({
      memory,
      core,
      shared,
      tier,
      without,
      plan: planBoot(boot, memory),
      host,
      clock,
      console,
      panic: new PanicWatcher(() => board.ask({ kind: 'crash', reason: 'The kernel panicked.' })),
      wake: () => {},
      disks: [],
      shares: [],
      ports: ports?.(name) ?? [],
      columns: 80,
      rows: 24,
      onInputSpace: () => {},
      onInputWanted: () => {},
      onEvent: () => {},
    });
    return { board, console };
  }

  /** Ends the run after the slice that runs. */
  stop(): void {
    this.#stopped = true;
  }

  /** Boots and runs until the guest asks for an end, the limit is reached, or the tiers differ. */
  async run(): Promise<LockstepEnd> {
    const { limit = Number.POSITIVE_INFINITY, turn } = this.#options;
    const { hart } = this.reference;
    this.#each((board) => board.powerOn());
    let slices = 0;
    let comparedAt = 0;
    let turnAt = 0;
    let instructions = 0;
    const end = (difference?: LockstepEnd['difference']): LockstepEnd => {
      this.#console.flush();
      return {
        instructions,
        translated: Number(this.subject.hart.u64('stat_translated')),
        slices,
        request: this.reference.request,
        ...(difference && { difference }),
      };
    };
    while (!this.#stopped && !this.reference.request && instructions < limit) {
      const { pc } = hart;
      const length = this.#isSettling ? HTIF_SETTLE : 1 + (this.#random() % LONGEST_SLICE);
      const isRunning = this.#prepare();
      const different = isRunning ? this.#lockstep.run(length) : undefined;
      slices++;
      if (different) return end({ ...different, pc, length });
      const retired = Number(hart.u64('instret')) - instructions;
      instructions += retired;
      this.#now += Math.max(retired, 1) / INSTRUCTIONS_PER_MS;
      const reason = isRunning ? this.#lockstep.reason : ExitReason.Wfi;
      this.#settlesNext = false;
      this.#each((board) => this.#serve(board, reason));
      this.#isSettling = this.#settlesNext;
      if (reason === ExitReason.Wfi) this.#now += this.#msToDeadline();
      if (instructions - comparedAt >= RAM_INTERVAL) {
        comparedAt = instructions;
        const inRam = this.#compareRam();
        if (inRam) return end({ ...inRam, pc, length });
      }
      if (instructions - turnAt >= TURN_INTERVAL || reason === ExitReason.Wfi) {
        turnAt = instructions;
        this.#console.flush();
        await turn();
      }
    }
    const inRam = this.#compareRam();
    return end(inRam && { ...inRam, pc: hart.pc, length: 0 });
  }

  #each(act: (board: Board) => void): void {
    act(this.reference);
    act(this.subject);
  }

  /** Brings timers up to date, on both sides at the same instruction; false: the hart sleeps. */
  #prepare(): boolean {
    let isRunning = true;
    this.#each((board) => {
      board.updateTimers();
      // Also makes the core look at its clock.
      const isPending = board.interruptPending();
      const hart = board.firmware.harts[HART];
      if (!hart || hart.status === HartStatus.Started) return;
      if (isPending) hart.status = HartStatus.Started;
      else isRunning = false;
    });
    return isRunning;
  }

  #serve(board: Board, reason: ExitReason): void {
    if (reason === ExitReason.Sbi) board.firmware.serve(HART);
    if (reason === ExitReason.Attention) board.hart.setU32('attention', 0);
    const { htif, hart } = board;
    if (this.#isSettling) htif?.settle();
    else if (reason === ExitReason.Watch && htif) {
      this.#settlesNext = !htif.serve(hart.u64('watch_addr'), hart.u32('watch_size'));
    }
    board.translator?.poll();
  }

  /** Milliseconds until the next interrupt by time; a guest that waits for none waits a while. */
  #msToDeadline(): number {
    const ms = this.reference.msToTimer();
    return Number.isFinite(ms) ? Math.max(0, ms) : 1;
  }

  #compareRam(): LockstepDifference | undefined {
    const view = ({ core }: Board) =>
      new Int32Array(core.memory.buffer, RAM_OFFSET, this.#options.memory / 4);
    const a = view(this.reference);
    const b = view(this.subject);
    for (let i = 0; i < a.length; i++) {
      if (a[i] === b[i]) continue;
      const address = RAM_BASE + 4 * i;
      return {
        what: `memory at 0x${address.toString(16)} (page 0x${(address - (address % PAGE_SIZE)).toString(16)})`,
        reference: BigInt(a[i] ?? 0),
        subject: BigInt(b[i] ?? 0),
      };
    }
    return undefined;
  }
}
