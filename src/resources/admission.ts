/**
 * How much the host carries, and whether more fits: the budget beside what is committed and what is
 * used. Pure arithmetic over numbers that were measured elsewhere. Guarantees that it refuses only
 * what would fail; everything else it lets through, with a warning that names the numbers.
 */

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** A guest that waits takes at most this much of a processor: one at its prompt is below it. */
const IDLE_SHARE = 0.01;
/** What a guest's worker, its tables and its translations take beside its memory, in bytes. */
const OVERHEAD = 24 * MIB;
/** Of what the browser gives, the page itself and its storage want a part. */
const USABLE = 0.85;
/** What a guest that has just been started takes of a processor: it comes up, then it mostly waits. */
const STARTED_SHARE = 0.25;
/** Guests at work that share one processor: with more, each is slow. */
const BUSY_PER_CORE = 2;

export interface Budget {
  /** Processors that the browser says it has. */
  readonly cores: number;
  /** Bytes that guests can have, together; undefined until it has been measured. */
  readonly memory: number | undefined;
  /** The browser refused more than `memory`: it is an end, not only as far as was looked. */
  readonly memoryEnds: boolean;
}

/** One VM as far as it counts here. */
export interface Load {
  /** Bytes of memory that it may come to use, and that it uses. */
  readonly maximum: number;
  readonly used: number;
  /** Share of a processor that it uses and that it waits for. */
  readonly busy: number;
  /** Whether it is on: the others hold nothing. */
  readonly live: boolean;
}

export interface Wanted {
  readonly count: number;
  /** Bytes of memory of each, and what each needs to come up. */
  readonly memory: number;
  readonly minimum: number;
}

export type Verdict =
  | { readonly kind: 'fits' }
  /** Can be done; the sentences say what to expect and what to do instead. */
  | { readonly kind: 'ask'; readonly reasons: readonly string[] }
  | { readonly kind: 'refuse'; readonly reason: string };

export interface Totals {
  readonly live: number;
  readonly committed: number;
  readonly used: number;
  readonly busy: number;
}

export function totalsOf(loads: readonly Load[]): Totals {
  const live = loads.filter((load) => load.live);
  const sum = (value: (load: Load) => number) => live.reduce((all, load) => all + value(load), 0);
  return {
    live: live.length,
    committed: sum(({ maximum }) => maximum + OVERHEAD),
    used: sum(({ used }) => used + OVERHEAD),
    busy: sum(({ busy }) => busy),
  };
}

/** Whether `wanted` can be started beside what runs. */
export function admit(budget: Budget, loads: readonly Load[], wanted: Wanted): Verdict {
  const totals = totalsOf(loads);
  const { memory } = budget;
  const more = wanted.count * (wanted.memory + OVERHEAD);
  const reasons: string[] = [];
  if (memory !== undefined) {
    const least = wanted.count * (wanted.minimum + OVERHEAD);
    if (budget.memoryEnds && totals.used + least > memory) {
      return {
        kind: 'refuse',
        reason:
          `This would fail: ${machines(wanted.count)} ${wanted.count === 1 ? 'needs' : 'need'} ` +
          `${size(least)} of memory to start, ${size(totals.used)} of the ${size(memory)} that ` +
          'this browser gives are in use. Stop or suspend other machines first.',
      };
    }
    if (totals.committed + more > memory) {
      reasons.push(
        `Memory: ${machines(totals.live + wanted.count)} may come to use ` +
          `${size(totals.committed + more)}, and this browser gives ${size(memory)} ` +
          `(${size(totals.used)} in use now). When guests fill their memory, some will be ended. ` +
          'Give them less, or stop others.',
      );
    }
  }
  const busyMost = budget.cores * BUSY_PER_CORE;
  if (totals.busy + wanted.count * STARTED_SHARE > busyMost) {
    reasons.push(
      `Processors: there ${budget.cores === 1 ? 'is' : 'are'} ${budget.cores}, ` +
        `${cores(totals.busy)} in use. ${machines(wanted.count)} at work beside that get a share ` +
        `of about ${percent(Math.min(1, budget.cores / (totals.busy + wanted.count)))} of one each. ` +
        'Start fewer at a time.',
    );
  }
  return reasons.length === 0 ? { kind: 'fits' } : { kind: 'ask', reasons };
}

/** What the header says while more is promised than there is; undefined while all is well. */
export function overProvisioned(budget: Budget, loads: readonly Load[]): string | undefined {
  const { live, committed, used, busy } = totalsOf(loads);
  const { memory, cores: count } = budget;
  if (memory !== undefined && used > memory * 0.9) {
    return (
      `Memory runs out: ${machines(live)} use ${size(used)} of the ${size(memory)} that this ` +
      'browser gives. Stop or suspend some now.'
    );
  }
  if (memory !== undefined && committed > memory) {
    return (
      `Memory is over-provisioned: ${machines(live)} may come to use ${size(committed)}, this ` +
      `browser gives ${size(memory)}, ${size(used)} in use. Lower their memory or stop some.`
    );
  }
  if (live > count && busy > count * 0.95) {
    return (
      `All ${count} processors are in use by ${machines(live)}: each runs slower than it could. ` +
      'Set caps or weights, or pause some.'
    );
  }
  return undefined;
}

/** A kind of guest that is recommended for. */
export interface Size {
  readonly name: string;
  readonly memory: number;
}

export interface Recommendation extends Size {
  /** How many of them when they mostly wait, and how many when they all work. */
  readonly waiting: number;
  readonly working: number;
}

/** How many guests of which size the host carries. Without a measured memory only processors count. */
export function recommend(budget: Budget, sizes: readonly Size[]): Recommendation[] {
  return sizes.map((one) => {
    const byMemory =
      budget.memory === undefined
        ? Number.POSITIVE_INFINITY
        : Math.floor((budget.memory * USABLE) / (one.memory + OVERHEAD));
    const waiting = Math.min(byMemory, Math.floor((budget.cores * 0.5) / IDLE_SHARE));
    // One processor is left to the page, where there is more than one.
    const working = Math.min(byMemory, Math.max(1, budget.cores - 1) * BUSY_PER_CORE);
    return { ...one, waiting, working: Math.min(waiting, working) };
  });
}

/** The recommendation in a sentence. */
export function recommendationText(list: readonly Recommendation[]): string {
  const fitting = list.filter(({ waiting }) => waiting > 0);
  if (fitting.length === 0) {
    return 'This browser gives too little memory for a guest. Close other tabs and measure again.';
  }
  const parts = fitting.map(
    ({ waiting, working, name, memory }) =>
      `${waiting} ${name} (${size(memory)}; ${working} of them at work)`,
  );
  const last = parts.pop();
  return `This computer carries about ${parts.length > 0 ? `${parts.join(', ')}, or ` : ''}${last}.`;
}

/** `128 MB`, `1.5 GB`. */
export function size(bytes: number): string {
  if (bytes >= GIB) return `${(bytes / GIB).toFixed(1).replace(/\.0$/, '')} GB`;
  return `${Math.round(bytes / MIB)} MB`;
}

function machines(count: number): string {
  return count === 1 ? 'one machine' : `${count} machines`;
}

function cores(busy: number): string {
  return busy.toFixed(1).replace(/\.0$/, '');
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}
