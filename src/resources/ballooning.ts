/**
 * Automatic ballooning: how much memory each guest should get by with when the host has little. Pure
 * arithmetic: who calls it again and again applies what it says. While guests hold less than the
 * lower mark of the budget they get back what was taken, as far as there is room; at the upper mark
 * the budget is divided by what each needs, and guests that idle give more. Between the two marks all
 * stays as it is, but for a guest that runs out: so it comes to rest instead of swinging. Guarantees
 * that no target leaves a guest's limits, and that small corrections are left alone.
 */

const MIB = 1024 * 1024;

/** Shares of the budget: from the upper on memory is taken, below the lower it is given. */
const UPPER = 0.9;
const LOWER = 0.75;
const MIDDLE = (LOWER + UPPER) / 2;
/** What a guest should have available beyond what it uses: a share of what it has, or this much. */
const HEADROOM = 0.15;
const LEAST_HEADROOM = 16 * MIB;
/** A guest with less than this part of its headroom runs out. */
const OUT = 0.4;
/** A guest that uses less of a processor than this idles. */
const IDLE = 0.02;
/** What is left over goes to guests at work in this proportion to those that idle. */
const WEIGHT_AT_WORK = 4;
/** Of the room below the lower mark, this part is given back at once: guests may fill it meanwhile. */
const GIVEN_AT_ONCE = 0.5;
/** Smaller changes are not worth the guest's work. */
const LEAST_CHANGE = 4 * MIB;
const STEP = MIB;

export interface BallooningGuest {
  readonly id: string;
  /** Bytes: what it must have at least, and what it was made with. */
  readonly minimum: number;
  readonly maximum: number;
  /** Bytes that it is asked to get by with now. */
  readonly target: number;
  /** Bytes of the host's memory that it holds. */
  readonly held: number;
  /** Bytes that programs in it could still have, where it tells. */
  readonly available?: number | undefined;
  /** Share of a processor that it uses. */
  readonly busy: number;
  /** Whether it can give memory back: it has the driver, and nobody forbids it. */
  readonly balloon: boolean;
}

export interface BallooningDecision {
  readonly id: string;
  readonly target: number;
  readonly why: 'host is short' | 'host has room' | 'guest runs out';
}

/** Guests whose target should change. `budget`: bytes of the host's memory for all of them. */
export function ballooning(
  budget: number,
  guests: readonly BallooningGuest[],
): BallooningDecision[] {
  const held = sum(guests, (guest) => guest.held);
  const movable = guests.filter(({ balloon }) => balloon);
  const out = movable.filter(runsOut);
  const short = held >= UPPER * budget;
  if (short || (out.length > 0 && held >= LOWER * budget)) {
    const others = held - sum(movable, (guest) => guest.held);
    const mark = short ? LOWER : MIDDLE;
    return divide(Math.max(0, mark * budget - others), movable, short);
  }
  if (held < LOWER * budget) return giveBack(LOWER * budget - held, movable);
  return [];
}

/** What a guest uses, with some room for more, inside its limits. */
function needOf(guest: BallooningGuest): number {
  const { target, available, held } = guest;
  const used = available === undefined ? held : target - available;
  return within(guest, used + headroomOf(guest));
}

function headroomOf({ target }: BallooningGuest): number {
  return Math.max(LEAST_HEADROOM, HEADROOM * target);
}

function runsOut(guest: BallooningGuest): boolean {
  const { available, target, maximum } = guest;
  return available !== undefined && target < maximum && available < OUT * headroomOf(guest);
}

/** Divides memory among guests: what each needs, then the rest by weight; less when it is too little. */
function divide(
  memory: number,
  guests: readonly BallooningGuest[],
  short: boolean,
): BallooningDecision[] {
  const needs = guests.map(needOf);
  const needed = needs.reduce((all, need) => all + need, 0);
  if (needed > memory) {
    // Everyone keeps its minimum, and the same part of what it needs beyond that.
    const least = sum(guests, ({ minimum }) => minimum);
    const part = needed > least ? Math.max(0, memory - least) / (needed - least) : 0;
    return guests.flatMap((guest, i) => {
      const wanted = guest.minimum + (needs[i]! - guest.minimum) * Math.min(1, part);
      return decide(guest, wanted, short);
    });
  }
  const extra = shareOut(memory - needed, guests, needs);
  return guests.flatMap((guest, i) => {
    const wanted = needs[i]! + extra[i]!;
    // A guest that does not hold what it may is no reason to let it have more.
    const more = wanted > guest.target && !runsOut(guest);
    return more ? [] : decide(guest, wanted, short);
  });
}

/** Hands out `room` by weight, to each at most what it lacks of its maximum. */
function shareOut(
  room: number,
  guests: readonly BallooningGuest[],
  has: readonly number[],
): number[] {
  const extra = guests.map(() => 0);
  let open = guests.map((_, i) => i).filter((i) => guests[i]!.maximum > has[i]!);
  let rest = room;
  while (open.length > 0 && rest >= STEP) {
    const weights = open.reduce((all, i) => all + weightOf(guests[i]!), 0);
    const round = rest;
    for (const i of open) {
      const most = guests[i]!.maximum - has[i]! - extra[i]!;
      const given = Math.min(most, (round * weightOf(guests[i]!)) / weights);
      extra[i] = extra[i]! + given;
      rest -= given;
    }
    open = open.filter((i) => guests[i]!.maximum - has[i]! - extra[i]! >= 1);
  }
  return extra;
}

function weightOf({ busy }: BallooningGuest): number {
  return busy < IDLE ? 1 : WEIGHT_AT_WORK;
}

/** There is room: guests get back what was taken, those that run out first. */
function giveBack(room: number, guests: readonly BallooningGuest[]): BallooningDecision[] {
  const lack = sum(guests, ({ target, maximum }) => maximum - target);
  const isEnough = lack <= room;
  // With room for all, no guest waits; else those that do not use what they have need no more.
  const lacking = guests.filter(
    (guest) =>
      guest.target < guest.maximum && (isEnough || guest.target - guest.held < headroomOf(guest)),
  );
  let rest = isEnough ? lack : room * GIVEN_AT_ONCE;
  const decisions: BallooningDecision[] = [];
  for (const group of [lacking.filter(runsOut), lacking.filter((guest) => !runsOut(guest))]) {
    const extra = shareOut(
      rest,
      group,
      group.map(({ target }) => target),
    );
    for (const [i, guest] of group.entries()) {
      rest -= extra[i]!;
      decisions.push(...decide(guest, guest.target + extra[i]!, false));
    }
  }
  return decisions;
}

/** A change that is worth it, in whole steps. */
function decide(guest: BallooningGuest, wanted: number, short: boolean): BallooningDecision[] {
  const whole = Math.floor(within(guest, wanted) / STEP) * STEP;
  const target = wanted >= guest.maximum ? guest.maximum : Math.max(guest.minimum, whole);
  const change = target - guest.target;
  const last = target === guest.maximum && change > 0;
  if (Math.abs(change) < LEAST_CHANGE && !last) return [];
  const why = change < 0 || short ? 'host is short' : runsOut(guest) ? 'guest runs out' : undefined;
  return [{ id: guest.id, target, why: why ?? 'host has room' }];
}

function within({ minimum, maximum }: BallooningGuest, bytes: number): number {
  return Math.min(Math.max(bytes, minimum), maximum);
}

function sum<T>(list: readonly T[], value: (one: T) => number): number {
  return list.reduce((all, one) => all + value(one), 0);
}
