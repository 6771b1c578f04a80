/**
 * Captures a machine while it runs, and restores it. It relies on being called between two slices
 * of the run loop, where the whole machine is at one instant, and on RamPages for what RAM held
 * then; guarantees that the guest stands still only for the mark (and while copies pile up because
 * the sink is slow), that a capture that fails leaves machine and earlier snapshots as they were,
 * and that a state that does not fit is refused before anything of the machine has changed. What a
 * source gives page by page is restored at once: its pages come while the guest runs (pager.ts).
 */
import { PAGE_SIZE } from '../../core/layout.ts';
import type { Board } from '../board.ts';
import type { GuestClock } from '../clock.ts';
import type { ConsoleOutput, PanicWatcher } from '../console.ts';
import type { BlockBackend } from '../devices/virtio/block-backend.ts';
import type { ShareBackend } from '../devices/virtio/share-backend.ts';
import { LifecycleError, messageOf, UserError } from '../errors.ts';
import type { MachineHost } from '../host.ts';
import type { ConsoleInput } from '../input.ts';
import type { MemoryRange } from '../memory.ts';
import { count, type Saved, type State, stateOf, stateOfParts } from '../state.ts';
import { isLazy, type LazySource, Pager, type PagerStats } from './pager.ts';
import { checkSetup, type Setup, setupSaved } from './setup.ts';
import {
  type CaptureReport,
  type MachineImage,
  type SnapshotSink,
  type SnapshotSource,
  STATE_VERSION,
} from './snapshot.ts';

/** Time of streaming between two turns of the event loop, and so between slices of the guest. */
const STEP_MS = 1.5;
const TOKEN_BYTES = 16;

/** Who waits for copies to leave. */
interface Room {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

export interface SnapshotParts {
  readonly board: Board;
  readonly host: MachineHost;
  readonly clock: GuestClock;
  readonly console: ConsoleOutput;
  readonly input: ConsoleInput;
  readonly panic: PanicWatcher;
  readonly disks: readonly BlockBackend[];
  readonly shares: readonly ShareBackend[];
  readonly setup: Setup;
  /** What the machine itself keeps of its guest. */
  readonly machine: State;
}

export class MachineSnapshots {
  readonly #parts: SnapshotParts;
  readonly #state: State;
  /** Of the capture under way: set to why it must end. */
  #capture: { cancelled?: string } | undefined;
  /** Names the snapshot that clean pages are as in. */
  #base: string | undefined;
  #room: Room | undefined;
  /** Of a restore whose pages have not all come. */
  #pager: Pager | undefined;
  /** Resolves when what the guest stands still for is there. */
  #arrival: Promise<void> | undefined;

  constructor(parts: SnapshotParts) {
    this.#parts = parts;
    const { board, clock, input, panic, machine } = parts;
    this.#state = stateOfParts(STATE_VERSION, {
      clock: stateOf(
        1,
        {
          get ticks() {
            return clock.ticks();
          },
          set ticks(ticks) {
            clock.set(ticks);
          },
        },
        { ticks: count },
      ),
      board: board.state,
      input: input.state,
      panic: panic.state,
      machine,
    });
  }

  /** While the guest must stand still, a promise that it may go on: for pages, or room for copies. */
  hold(): Promise<void> | undefined {
    const arrival = this.#arrival;
    this.#arrival = undefined;
    if (arrival) return arrival;
    if (!this.#parts.board.pages.full) return undefined;
    this.#room ??= newRoom();
    return this.#room.promise;
  }

  /** The guest needs what has not come yet: it stands still until it has. */
  await(ranges: readonly MemoryRange[]): void {
    this.#arrival = this.#pager?.want(ranges);
  }

  /** Of a restore whose pages have not all come. */
  get arriving(): PagerStats | undefined {
    return this.#pager?.stats;
  }

  /** RAM is about to become another one: what is known of snapshots ends, and so does a capture. */
  forget(reason: string): void {
    if (this.#capture) this.#capture.cancelled ??= reason;
    this.#base = undefined;
    this.#pager?.end();
    this.#pager = undefined;
    this.#parts.board.memory.presence = undefined;
    this.#parts.board.pages.reset();
    this.#release();
  }

  /** Captures the machine as it is now; it may run on meanwhile. */
  async capture(sink: SnapshotSink): Promise<CaptureReport> {
    const { host } = this.#parts;
    if (this.#capture) {
      throw new LifecycleError('A snapshot of this machine is under way. Wait until it is done.');
    }
    const capture: { cancelled?: string } = {};
    this.#capture = capture;
    const began = host.now();
    try {
      const known = this.#base !== undefined && (await sink.has?.(this.#base)) === true;
      // Pages that have not come are as in the base; where there is none they are needed.
      if (!known) await this.#pager?.complete();
      if (capture.cancelled !== undefined) throw new LifecycleError(capture.cancelled);
      const { image, pause_ms } = this.#mark(known ? this.#base : undefined);
      const pages = await this.#stream(image, sink, capture);
      this.#base = image.token;
      return { pause_ms, pages, total_ms: host.now() - began };
    } finally {
      this.#capture = undefined;
      this.#release();
    }
  }

  /**
   * Checks a snapshot; what comes back makes it the machine's. While that waits for pages nothing
   * of the machine may run; `check` throws when the machine has been put to other use meanwhile.
   */
  prepare(source: SnapshotSource): (check: () => void) => Promise<void> {
    const { image } = source;
    const { board, setup } = this.#parts;
    const { setup: saved, state } = imageParts(image);
    checkSetup(setup, image.memory, saved);
    const apply = this.#state.prepare(state, 'The snapshot');
    return async (check) => {
      this.forget('The machine was restored from another snapshot.');
      board.clear();
      // The host's interface of bare-metal programs lies in RAM, and is looked at all the time.
      if (isLazy(source) && !setup.htif) {
        this.#arrive(source);
      } else {
        for await (const run of source.pages()) {
          check();
          board.loadPages(run);
        }
      }
      check();
      apply();
      board.restored();
      board.protect(() => board.pages.markClean());
      this.#base = image.token;
      this.#parts.input.pump();
    };
  }

  /** From here on RAM's pages come from `source` while the machine runs. */
  #arrive(source: LazySource): void {
    const { board, host } = this.#parts;
    const { memory, pages } = board;
    const pager = new Pager({
      source,
      flags: pages.flags,
      ram: pages.ram,
      host,
      onFailure: (reason) => board.ask({ kind: 'crash', reason }),
      onComplete: () => {
        if (this.#pager !== pager) return;
        this.#pager = undefined;
        memory.presence = undefined;
      },
    });
    this.#pager = pager;
    memory.presence = pager;
    void pager.stream();
  }

  /** The instant. Everything is of this moment, and no page changes from here on unseen. */
  #mark(base: string | undefined): { image: MachineImage; pause_ms: number } {
    const { board, host, console, disks, shares, setup } = this.#parts;
    const from = host.now();
    if (board.request) {
      throw new LifecycleError('The machine is about to stop: there is nothing to capture.');
    }
    console.flush();
    const token = newToken(host);
    const state = { setup: setupSaved(setup), state: this.#state.save() };
    for (const one of [...disks, ...shares]) one.freeze?.(token);
    board.protect(() => board.pages.begin(base !== undefined));
    const image = { memory: setup.memory, state, token, ...(base !== undefined && { base }) };
    return { image, pause_ms: host.now() - from };
  }

  /** Hands all to the sink; returns how many pages. */
  async #stream(
    image: MachineImage,
    sink: SnapshotSink,
    capture: { readonly cancelled?: string },
  ): Promise<number> {
    const { host, board } = this.#parts;
    const check = () => {
      if (capture.cancelled !== undefined) throw new LifecycleError(capture.cancelled);
    };
    let sent = 0;
    try {
      await sink.begin(image);
      check();
      let since = host.now();
      for (let runs = board.pages.next(); runs; runs = board.pages.next()) {
        if (!board.pages.full) this.#release();
        for (const run of runs) {
          const room = sink.pages(run);
          sent += run.bytes.length / PAGE_SIZE;
          if (room) await room;
          check();
        }
        if (host.now() - since < STEP_MS) continue;
        await host.turn();
        check();
        since = host.now();
      }
      board.pages.finish();
      await sink.end();
      check();
      return sent;
    } catch (error) {
      if (capture.cancelled === undefined) board.pages.abort();
      sink.abort(messageOf(error));
      throw error;
    }
  }

  #release(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}

function newRoom(): Room {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

function newToken(host: MachineHost): string {
  const random = new Uint8Array(TOKEN_BYTES);
  host.entropy(random);
  return Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function imageParts({ state }: MachineImage): { setup: Saved; state: Saved } {
  if (typeof state === 'object' && 'setup' in state && 'state' in state) {
    const { setup, state: inner } = state;
    if (setup !== undefined && inner !== undefined) return { setup, state: inner };
  }
  throw new UserError('The snapshot holds no state of a machine.');
}
