/**
 * Collects samples of a running guest: where it is, in which mode, what ran it. Relies on the run
 * loop to be called after numbers of instructions that it draws itself, at random so that no loop
 * of the guest keeps step with it.
 */
import type { Board } from '../machine/board.ts';
import { RAM_BASE } from '../machine/memory-map.ts';

const HART = 0;
const FETCH = 2;
const SUPERVISOR = 1;
const MSTATUS_SPP = 1n << 8n;
const PAGE = 4096;
const PAGE_MASK = -4096n;
/** Pages whose code is kept for `--region`: 16 MB. */
const MAX_PAGES = 4096;

export type Mode = 'user' | 'kernel' | 'machine';
const MODES: readonly (Mode | undefined)[] = ['user', 'kernel', undefined, 'machine'];

export interface Sample {
  readonly address: bigint;
  readonly mode: Mode;
  count: number;
  /** Milliseconds until these samples, since those before them. */
  ms: number;
  /** Instructions until these samples, and those of them that translated code ran. */
  ran: number;
  translated: number;
}

interface KeptPage {
  readonly code: Uint8Array<ArrayBuffer>;
  /** Its guest-physical address, which is below 4 GiB. */
  readonly low: number;
}

export interface CodePage {
  readonly code: Uint8Array<ArrayBuffer>;
  /** Offsets at which translated code can be entered, where it still can. */
  readonly entries: readonly number[];
}

export class Profiler {
  /** By mode and address: a user's address may be a kernel's in another guest. */
  readonly #samples = new Map<Mode, Map<bigint, Sample>>();
  readonly #pages = new Map<bigint, KeptPage>();
  readonly #interval: number;
  #board: Board | undefined;
  #ranBefore: bigint | undefined;
  #translatedBefore = 0n;
  #instructions = 0;
  /** Whether samples count. */
  active: boolean;

  constructor(interval: number, active: boolean) {
    this.#interval = interval;
    this.active = active;
  }

  get samples(): readonly Sample[] {
    return [...this.#samples.values()].flatMap((samples) => [...samples.values()]);
  }

  /** Instructions between the first sample that counted and the last one. */
  get instructions(): number {
    return this.#instructions;
  }

  interval(): number {
    return 1 + Math.floor(Math.random() * (2 * this.#interval - 1));
  }

  look(board: Board, ms: number): void {
    this.#board = board;
    const { hart } = board;
    const instructions = hart.u64('instret');
    const translated = hart.u64('stat_translated');
    const ran = Number(instructions - (this.#ranBefore ?? instructions));
    const by = Number(translated - this.#translatedBefore);
    this.#ranBefore = instructions;
    this.#translatedBefore = translated;
    // After a reset the counts begin anew.
    if (!this.active || ran <= 0 || by < 0) return;
    const { mode, address } = placeOf(hart);
    const sample = this.#at(mode, address);
    sample.count++;
    sample.ms += ms;
    sample.ran += ran;
    sample.translated += by;
    this.#instructions += ran;
    this.#keepPage(board, sample.address & PAGE_MASK);
  }

  #at(mode: Mode, address: bigint): Sample {
    let samples = this.#samples.get(mode);
    if (!samples) {
      samples = new Map();
      this.#samples.set(mode, samples);
    }
    let sample = samples.get(address);
    if (!sample) {
      sample = { address, mode, count: 0, ms: 0, ran: 0, translated: 0 };
      samples.set(address, sample);
    }
    return sample;
  }

  /** The page as it was when it ran: at the end a process' pages are somebody else's. */
  #keepPage(board: Board, page: bigint): void {
    if (this.#pages.size >= MAX_PAGES || this.#pages.has(page)) return;
    const code = readPage(board, page);
    if (code) this.#pages.set(page, code);
  }

  /** The code of the page that an address is in. */
  page(address: bigint): CodePage | undefined {
    const board = this.#board;
    if (!board) return undefined;
    const page = address & PAGE_MASK;
    const kept = this.#pages.get(page) ?? readPage(board, page);
    if (!kept) return undefined;
    const { code, low } = kept;
    const now = new Uint8Array(PAGE);
    board.memory.read(board.memory.locate(low, 0, PAGE), 0, now);
    const same = now.every((byte, i) => byte === code[i]);
    return { code, entries: (same && board.translator?.entries(low - RAM_BASE)) || [] };
  }
}

/**
 * Where the guest is. A run ends with a look at what interrupts are due: one that was taken then is
 * no work of the handler, at whose first instruction the guest now stands.
 */
function placeOf(hart: Board['hart']): Pick<Sample, 'mode' | 'address'> {
  const { pc } = hart;
  const privilege = hart.u32('priv') & 3;
  const interrupted = privilege === SUPERVISOR && hart.u64('scause') >> 63n === 1n;
  if (!interrupted || pc !== (hart.u64('stvec') & -4n)) {
    return { mode: MODES[privilege] ?? 'machine', address: pc };
  }
  const wasUser = (hart.u64('mstatus') & MSTATUS_SPP) === 0n;
  return { mode: wasUser ? 'user' : 'kernel', address: hart.u64('sepc') };
}

function readPage({ core, memory }: Board, page: bigint): KeptPage | undefined {
  const physical = BigInt.asUintN(64, core.exports.translate(HART, page, FETCH));
  const [low, high] = [Number(physical & 0xffff_ffffn), Number(physical >> 32n)];
  if (!memory.contains(low, high, PAGE)) return undefined;
  const code = new Uint8Array(PAGE);
  memory.read(memory.locate(low, high, PAGE), 0, code);
  return { code, low };
}
