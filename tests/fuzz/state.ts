/**
 * Fuzzer of saved states. Two halves: bytes of states that are damaged here and there, which the
 * decoder refuses in a sentence or reads as a state that is written as the same bytes again; and whole
 * machines whose state is legal but for a few odd values, which a restore refuses and changes
 * nothing, or takes and then runs: whatever the guest meets, no part of the machine itself fails.
 */
import { loadCore } from '../../src/cli/repository.ts';
import { MemoryBackend } from '../../src/machine/devices/virtio/memory-backend.ts';
import { UserError } from '../../src/machine/errors.ts';
import type { MachineHost } from '../../src/machine/host.ts';
import { Machine } from '../../src/machine/machine.ts';
import { MIB } from '../../src/machine/memory-map.ts';
import { decodeSaved, encodeSaved } from '../../src/machine/snapshot/encode.ts';
import type { PageRun } from '../../src/machine/snapshot/snapshot.ts';
import { type Saved, StateError } from '../../src/machine/state.ts';
import { type MemorySnapshot, MemoryStore } from '../../src/machine/testing/memory-snapshots.ts';
import { firstDifference } from '../../src/machine/testing/state.ts';
import { MemoryFs } from '../../src/storage/ninep/memory-fs.ts';
import { localShare } from '../../src/storage/ninep/share.ts';
import { program, virtualHost } from '../machine/bare-metal.ts';
import { Finding, type Fuzzer, type Random } from './fuzzer.ts';

const MEMORY = MIB;
/** Looks of the guest at its devices; each touches all of them. */
const TURNS = 40;
/** How often each half refused and took: a test shows that both happen. */
export const outcomes = { refused: 0, read: 0, kept: 0, ran: 0 };

/** Kicks every queue of all virtio devices, takes interrupts, and begins again, after traps too. */
const GUEST = `
  la t0, again
  csrw mtvec, t0
again:
  li s0, 0x10001000
  li s1, 0x1000b000
  li s2, 0x1000
device:
  lw t0, 0(s0)
  lw t1, 0x60(s0)
  sw t1, 0x64(s0)
  li t1, 0
queue:
  sw t1, 0x30(s0)
  lw t2, 0x34(s0)
  sw t1, 0x50(s0)
  addi t1, t1, 1
  li t2, 4
  bltu t1, t2, queue
  add s0, s0, s2
  bltu s0, s1, device
  li t0, 0xc201000
  lw t1, 4(t0)
  sw t1, 4(t0)
  li t0, 0x101000
  lw t1, 0(t0)
  lw t1, 4(t0)
  li t0, 0x10000000
  li t1, 65
  sb t1, 0(t0)
  lbu t1, 0(t0)
  lbu t1, 2(t0)
  j again
`;

interface Bench {
  readonly machine: Machine;
  readonly good: MemorySnapshot;
}

let bench: Promise<Bench> | undefined;

/** One machine for all cases: each begins with a restore, which replaces all of it. */
async function makeBench(): Promise<Bench> {
  const host: MachineHost = virtualHost(0.05);
  const machine = Machine.create(
    {
      memory: MEMORY,
      boot: { kind: 'elf', elf: program(GUEST) },
      core: await loadCore(),
      shared: false,
      disks: [new MemoryBackend(1 << 16)],
      shares: [localShare('shared', new MemoryFs())],
      ports: [{ name: 'org.tabvisor.agent', onOutput: () => {} }],
      tier: 'interpreter',
    },
    host,
  );
  machine.start();
  await turns(3);
  machine.pause();
  const sink = new MemoryStore().sink();
  await machine.capture(sink);
  return { machine, good: sink.snapshot() };
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

/* States */

function anyState(random: Random, depth = 0): Saved {
  const kind = random.below(depth > 3 ? 5 : 8);
  if (kind === 0) return random.once(2);
  if (kind === 1) return random.nasty();
  if (kind === 2) return random.below(30);
  if (kind === 3)
    return random.pick(['', 'a', '0x1f', 'naïve ☂ %41', 'x'.repeat(random.below(300))]);
  if (kind === 4) return random.bytes(random.below(random.once(5) ? 300 : 20));
  const parts = Array.from({ length: random.below(6) }, () => anyState(random, depth + 1));
  if (kind === 5) return parts;
  return Object.fromEntries(parts.map((part, i) => [`${random.pick(NAMES)}${i}`, part]));
}

const NAMES = ['version', 'fields', 'parts', 'queue', '__proto__', 'constructor', 'ß', ''];

/** A copy in which a value is another one of its kind, or of none, once in `n` times. */
function varied(value: Saved, random: Random, n: number): Saved {
  if (random.once(8 * n)) return anyState(random);
  if (typeof value === 'boolean') return random.once(n) ? !value : value;
  if (typeof value === 'number') {
    return random.once(n)
      ? random.pick([0, 1, value + 1, random.below(300), random.nasty()])
      : value;
  }
  if (typeof value === 'string') {
    return random.once(n)
      ? random.pick(['', '0x0', `${value}0`, '0xffffffffffffffff', '-1'])
      : value;
  }
  if (value instanceof Uint8Array) return variedBytes(value, random, n);
  if (Array.isArray(value)) {
    const list = value.map((one: Saved) => varied(one, random, n));
    if (random.once(n))
      list.push(...Array.from({ length: random.below(200) }, () => random.below(9)));
    return list;
  }
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, one]) =>
      random.once(40 * n) ? [] : [[key, varied(one, random, n)]],
    ),
  );
}

function variedBytes(value: Uint8Array, random: Random, n: number): Uint8Array {
  if (!random.once(n)) return value;
  if (random.once(10)) return random.bytes(random.below(400));
  const copy = value.slice();
  for (let i = random.between(1, 8); i > 0 && copy.length > 0; i--) {
    copy[random.below(copy.length)] = random.pick([0, 1, 0x80, 0xff, random.below(256)]);
  }
  return copy;
}

function mustBeSentence(error: unknown): void {
  if (!(error instanceof StateError || error instanceof UserError)) throw error;
  if (!/^[^\p{C}]+\.$/u.test(error.message) || error.message.length > 1000) {
    throw new Finding(`This is no sentence: ${JSON.stringify(error.message.slice(0, 2000))}`);
  }
}

function playBytes(random: Random): void {
  const state = anyState(random);
  const bytes = encodeSaved(state);
  const back = decodeSaved(bytes);
  const difference = firstDifference(state, back, 'state');
  if (difference !== undefined) throw new Finding(`The bytes give another ${difference}.`);
  const damaged = random.once(6) ? bytes.slice(0, random.below(bytes.length + 1)) : bytes.slice();
  for (let i = random.below(4); i > 0 && damaged.length > 0; i--) {
    damaged[random.below(damaged.length)] = random.once(2) ? random.below(256) : 0xff;
  }
  let read: Saved;
  try {
    read = decodeSaved(damaged);
  } catch (error) {
    mustBeSentence(error);
    outcomes.refused++;
    return;
  }
  outcomes.read++;
  const again = encodeSaved(read);
  if (Buffer.compare(again, damaged) !== 0 && !reordered(read)) {
    throw new Finding('Two different rows of bytes are read as the same state.');
  }
}

/** Whether a record has names that JavaScript puts first. */
function reordered(state: Saved): boolean {
  if (typeof state !== 'object' || state instanceof Uint8Array) return false;
  if (!Array.isArray(state) && Object.keys(state).some((key) => /^\d+$/.test(key))) return true;
  return Object.values(state).some((one: Saved) => reordered(one));
}

/** RAM in which rings and tables of queues are, at addresses that the states name now and then. */
function ramOf({ good }: Bench, random: Random): PageRun[] {
  const runs: PageRun[] = [...good.all].map(([first, bytes]) => ({ first, bytes }));
  const page = new Uint8Array(4096);
  const view = new DataView(page.buffer);
  for (let at = 0; at < 4096; at += 16) {
    view.setUint32(at, 0x8008_0000 + 16 * random.below(4096), true);
    view.setUint32(at + 8, random.below(600), true);
    view.setUint16(at + 12, random.below(random.once(9) ? 0x1_0000 : 4), true);
    view.setUint16(at + 14, random.below(random.once(9) ? 0x1_0000 : 16), true);
  }
  for (let i = 0; i < 4; i++) runs.push({ first: 0x80 + i, bytes: page.slice() });
  return runs;
}

/** Queues that are in use: what most odd values would only be refused for, or never looked at. */
function live(state: Saved, random: Random): Saved {
  if (typeof state !== 'object' || state instanceof Uint8Array || Array.isArray(state))
    return state;
  const record = Object.fromEntries(
    Object.entries(state).map(([key, value]) => [key, live(value, random)]),
  );
  if ('descLow' in record && random.once(2)) {
    const at = () => 0x8008_0000 + 4096 * random.below(4);
    const ready = { ready: true, descLow: at(), driverLow: at(), deviceLow: at() };
    return { ...record, ...ready };
  }
  if ('driverFeaturesSel' in record && random.once(2)) {
    return { ...record, status: 15, driverFeatures: Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0) };
  }
  return record;
}

async function playMachine(random: Random): Promise<void> {
  bench ??= makeBench();
  const { machine, good } = await bench;
  await machine.restore(good);
  const before = machine.stats().ram_bytes;
  const own = live(good.image.state, random);
  const state = decodeSaved(encodeSaved(varied(own, random, random.pick([8, 40, 200, 1000]))));
  const runs = ramOf({ machine, good }, random);
  const source = {
    image: { ...good.image, state },
    async *pages() {
      yield* runs;
    },
  };
  try {
    await machine.restore(source);
  } catch (error) {
    mustBeSentence(error);
    if (machine.state.kind !== 'paused' || machine.stats().ram_bytes !== before) {
      throw new Finding(`A state that was refused changed the machine: ${String(error)}`);
    }
    outcomes.kept++;
    return;
  }
  machine.resume();
  await turns(TURNS);
  const end = machine.state;
  if (end.kind === 'crashed' && /^The (machine|device \S+) failed/.test(end.reason ?? '')) {
    throw new Finding(`A restored state broke the machine: ${end.reason}`);
  }
  if (machine.state.kind === 'running') machine.pause();
  outcomes.ran++;
}

export const state: Fuzzer = {
  name: 'state',
  what: 'saved states of machines: damaged bytes, odd values, and running on from them',
  bounded: 150,
  play: (random) => (random.once(3) ? playMachine(random) : playBytes(random)),
};
