/**
 * What a guest costs: work done, seconds of the host's processor, memory and storage over time, for
 * each VM, as an owner would be billed. Relies on intervals that are handed in; guarantees that
 * each interval is charged once and whole, to the hours in which it lies, that a VM which has been
 * deleted keeps its bill, and bounded memory.
 */
import * as v from 'valibot';

const HOUR_MS = 3600_000;
const SECOND_MS = 1000;
/** Hours that are kept one by one for each VM; older ones count in its total only. */
export const COST_HOURS = 48;
/** Bills that are kept: those of deleted VMs go first, the oldest of them before the others. */
export const COST_BILLS = 500;

const Amount = v.pipe(v.number(), v.finite(), v.minValue(0));
const CostSchema = v.object({
  /** Instructions that the guest ran. */
  instructions: Amount,
  /** Seconds of one of the host's processors. */
  cpu_s: Amount,
  /** Bytes of memory in use, times hours. */
  memory_byte_hours: Amount,
  /** Bytes of storage, times hours. */
  storage_byte_hours: Amount,
  /** Seconds in which it was on. */
  on_s: Amount,
});
export type Cost = v.InferOutput<typeof CostSchema>;

const BillSchema = v.object({
  vm: v.pipe(v.string(), v.maxLength(200)),
  name: v.pipe(v.string(), v.maxLength(200)),
  deleted: v.boolean(),
  total: CostSchema,
  /** By the hour, the oldest first; `hour` counts hours since 1970. */
  hours: v.pipe(
    v.array(v.object({ hour: v.pipe(v.number(), v.integer()), cost: CostSchema })),
    v.maxLength(COST_HOURS),
  ),
});
export type Bill = v.InferOutput<typeof BillSchema>;

/** What a VM used from one time to another, in milliseconds since 1970. */
export interface Usage {
  readonly from: number;
  readonly to: number;
  readonly instructions: number;
  /** Share of one processor. */
  readonly busy: number;
  /** Bytes. */
  readonly memory: number;
  readonly storage: number;
}

export class Costs {
  #bills = new Map<string, Bill>();

  /** All bills, as they can be stored. */
  get bills(): readonly Bill[] {
    return [...this.#bills.values()];
  }

  charge(vm: string, name: string, usage: Usage): void {
    const length = usage.to - usage.from;
    if (!(length > 0) || !Number.isFinite(length)) return;
    const bill = this.#bill(vm, name);
    // Hours before those that are kept are in the total only.
    const lastHour = Math.ceil(usage.to / HOUR_MS) - 1;
    const first = Math.max(lastHour - COST_HOURS + 1, Math.floor(usage.from / HOUR_MS));
    for (let hour = first; hour <= lastHour; hour++) {
      const begin = Math.max(usage.from, hour * HOUR_MS);
      const part = Math.min(usage.to, (hour + 1) * HOUR_MS) - begin;
      if (part > 0) add(hourOf(bill, hour), usage, part, length);
    }
    add(bill.total, usage, length, length);
    bill.hours.splice(0, Math.max(0, bill.hours.length - COST_HOURS));
  }

  /** It goes on being listed, with what it cost. */
  deleted(vm: string): void {
    const bill = this.#bills.get(vm);
    if (bill) bill.deleted = true;
  }

  /** Takes stored bills back: those of VMs of a former time, which are over. What is no bill is left out. */
  restore(stored: unknown, key: (vm: string) => string): void {
    const list = v.safeParse(v.array(v.unknown()), stored);
    if (!list.success) return;
    for (const entry of list.output.slice(-COST_BILLS)) {
      const parsed = v.safeParse(BillSchema, entry);
      if (!parsed.success) continue;
      const vm = key(parsed.output.vm);
      this.#bills.set(vm, { ...parsed.output, vm, deleted: true });
    }
  }

  #bill(vm: string, name: string): Bill {
    let bill = this.#bills.get(vm);
    if (bill === undefined) {
      bill = { vm, name, deleted: false, total: nothing(), hours: [] };
      this.#bills.set(vm, bill);
      if (this.#bills.size > COST_BILLS) this.#drop();
    }
    bill.name = name;
    return bill;
  }

  #drop(): void {
    const bills = [...this.#bills.values()];
    const oldest = bills.find(({ deleted }) => deleted) ?? bills[0];
    if (oldest) this.#bills.delete(oldest.vm);
  }
}

export function sumOf(costs: readonly Cost[]): Cost {
  const sum = nothing();
  for (const cost of costs) {
    for (const key of COST_KEYS) sum[key] += cost[key];
  }
  return sum;
}

function nothing(): Cost {
  return { instructions: 0, cpu_s: 0, memory_byte_hours: 0, storage_byte_hours: 0, on_s: 0 };
}

const COST_KEYS = Object.keys(nothing()) as (keyof Cost)[];

function hourOf(bill: Bill, hour: number): Cost {
  // Nearly always the last one; after the clock was set back, an earlier one.
  const index = bill.hours.findLastIndex((entry) => entry.hour <= hour);
  const found = bill.hours[index];
  if (found?.hour === hour) return found.cost;
  const cost = nothing();
  bill.hours.splice(index + 1, 0, { hour, cost });
  return cost;
}

/** Charges `part` of the `whole` of an interval. */
function add(cost: Cost, usage: Usage, part: number, whole: number): void {
  cost.instructions += (usage.instructions * part) / whole;
  cost.cpu_s += (usage.busy * part) / SECOND_MS;
  cost.memory_byte_hours += (usage.memory * part) / HOUR_MS;
  cost.storage_byte_hours += (usage.storage * part) / HOUR_MS;
  cost.on_s += part / SECOND_MS;
}
