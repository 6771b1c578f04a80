/**
 * Divides the host's processors among VMs: each VM that wants to run gets its share by weight, at
 * most its cap and what it can use, and what one leaves goes to the others (weighted max-min
 * fairness). Pure arithmetic, and a scheduler that does it again whenever a claim changes; how
 * quotas reach their VMs is its owner's business, so page and command line use the same.
 */

export interface Claim {
  readonly weight: number;
  /** Processors that it may use at most. */
  readonly cap: number;
  /** Processors that it would use now, if it could: 0 while it is idle. */
  readonly demand: number;
}

/**
 * Processors for each claim, in order. Guarantees: no share is over its cap or demand; all shares
 * together are `capacity`, or what everybody wants if that is less; two that want more than they
 * got have shares as their weights.
 */
export function divide(claims: readonly Claim[], capacity: number): number[] {
  const wanted = claims.map(({ cap, demand }) => Math.max(0, Math.min(cap, demand)));
  const shares = claims.map(() => 0);
  let open = claims.map((_, i) => i).filter((i) => wanted[i]! > 0);
  let left = capacity;
  while (open.length > 0) {
    const weights = open.reduce((sum, i) => sum + claims[i]!.weight, 0);
    const level = left / weights;
    const content = open.filter((i) => wanted[i]! <= level * claims[i]!.weight);
    if (content.length === 0) {
      for (const i of open) shares[i] = level * claims[i]!.weight;
      break;
    }
    for (const i of content) {
      shares[i] = wanted[i]!;
      left -= wanted[i]!;
    }
    open = open.filter((i) => !content.includes(i));
    left = Math.max(0, left);
  }
  return shares;
}

/** Processors that a VM may use from now on; undefined: as much as it can get. */
export type Quota = number | undefined;

export interface SchedulerMember {
  readonly weight: number;
  readonly cap: number;
  readonly harts: number;
  /** Is told when its quota changes. */
  setQuota(quota: Quota): void;
}

interface Entry {
  member: SchedulerMember;
  demand: number;
  quota: Quota;
}

/** Quotas that differ by less are the same. */
const GRAIN = 0.005;
/** A VM that could use this much of its harts is taken to want all of them. */
const EAGER = 0.9;
/** What a VM gets above what it used last, so that it can show that it wants more. */
const ROOM = 1.3;

export class CpuScheduler {
  readonly #entries = new Map<string, Entry>();
  #capacity: number;

  /** `capacity`: processors for all VMs together. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get capacity(): number {
    return this.#capacity;
  }

  set capacity(capacity: number) {
    this.#capacity = capacity;
    this.#divide();
  }

  /** A VM that has come, or whose weight or cap is another one. */
  put(id: string, member: SchedulerMember): void {
    const known = this.#entries.get(id);
    if (known) known.member = member;
    else this.#entries.set(id, { member, demand: 0, quota: undefined });
    this.#divide(id);
  }

  remove(id: string): void {
    if (this.#entries.delete(id)) this.#divide();
  }

  /** Processors that a VM would use if it could: 0 as soon as it waits. */
  demand(id: string, demand: number): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.demand = demand;
    this.#divide();
  }

  quota(id: string): Quota {
    return this.#entries.get(id)?.quota;
  }

  /** `told` gets its quota even if that is as before. */
  #divide(told?: string): void {
    const entries = [...this.#entries];
    const claims = entries.map(([, { member, demand }]): Claim => {
      const { weight, cap, harts } = member;
      const wants = demand >= EAGER * Math.min(cap, harts) ? harts : demand * ROOM;
      return { weight, cap, demand: wants };
    });
    const shares = divide(claims, this.#capacity);
    const spare = this.#capacity - shares.reduce((sum, share) => sum + share, 0);
    for (const [i, [id, entry]] of entries.entries()) {
      const { cap, harts } = entry.member;
      const claim = claims[i]!;
      // One that wakes up starts with what it would get, and what nobody else uses is anybody's.
      const eager = claims.map((other, k) => (k === i ? { ...other, demand: harts } : other));
      const share = claim.demand >= harts ? shares[i]! : divide(eager, this.#capacity)[i]!;
      const most = Math.min(cap, Math.max(share, shares[i]! + spare));
      const quota = most >= harts - GRAIN ? undefined : most;
      if (id !== told && same(quota, entry.quota)) continue;
      entry.quota = quota;
      entry.member.setQuota(quota);
    }
  }
}

function same(one: Quota, other: Quota): boolean {
  if (one === undefined || other === undefined) return one === other;
  return Math.abs(one - other) < GRAIN;
}

/** Of one host's processors, what the VMs can have: the rest draws the page and moves their data. */
export function guestCapacity(processors: number): number {
  return Math.max(0.5 * processors, processors - 0.25);
}
