/**
 * Fuzzer of the files that a machine is made from: manifests, lists of templates, Linux kernels, ELF
 * files, whole boot plans; and of the archives that images are made from. The files are valid but
 * for a few damaged places. Either a reader gives a result that keeps its promises (everything inside
 * the file and inside RAM, nothing overlapping), or it refuses with one sentence for a person.
 */
import { UserError } from '../../src/machine/errors.ts';
import { type BootConfig, type BootPlan, planBoot } from '../../src/machine/loader/boot.ts';
import { isElf, parseElf } from '../../src/machine/loader/elf.ts';
import { parseLinuxImage } from '../../src/machine/loader/image.ts';
import { makeElf, makeImage, type TestSegment } from '../../src/machine/loader/testing.ts';
import { type ImageFile, parseCatalogue, parseManifest } from '../../src/machine/manifest.ts';
import { MEMORY_STEP, MIB, RAM_BASE } from '../../src/machine/memory-map.ts';
import { playAr, playTar } from './archives.ts';
import { Finding, type Fuzzer, type Random } from './fuzzer.ts';
import { type Json, mutated, textOf } from './json.ts';

/** Longest message that still is a sentence to read. */
const MESSAGE_MOST = 1000;

/** How often the readers accepted and refused: a test shows that both happen. */
export const outcomes = { accepted: 0, refused: 0 };

/** What `read` gives, or undefined where it refuses as it should. */
function attempt<T>(read: () => T): T | undefined {
  let result: T;
  try {
    result = read();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { message } = error;
    if (!/^[^\p{C}]+\.$/u.test(message) || message.length > MESSAGE_MOST) {
      throw new Finding(`This is no sentence: ${JSON.stringify(message.slice(0, 2000))}`);
    }
    outcomes.refused++;
    return undefined;
  }
  outcomes.accepted++;
  return result;
}

/** Damages a few bytes, or the length; often nothing. */
function damage(random: Random, file: Uint8Array): Uint8Array {
  const copy = file.slice();
  const view = new DataView(copy.buffer);
  for (let i = random.below(3); i > 0 && copy.length >= 8; i--) {
    // Headers matter more than what they describe.
    const at = random.below(random.once(2) ? Math.min(copy.length - 8, 256) : copy.length - 7);
    const width = random.pick([1, 1, 4, 8]);
    if (width === 1) copy[at] = random.below(256);
    else if (width === 4) view.setUint32(at & ~3, random.nasty(), true);
    else view.setBigUint64(at & ~7, big(random), true);
  }
  if (random.once(10)) return copy.subarray(0, random.below(copy.length + 1));
  return copy;
}

function big(random: Random): bigint {
  if (random.once(2)) return BigInt(random.nasty());
  const edge = (1n << BigInt(random.below(65))) + BigInt(random.between(-1, 1));
  return BigInt.asUintN(64, edge);
}

/* Text */

const HASH = '0123456789abcdef'.repeat(4);

function validFile(random: Random): Json {
  const file = {
    file: random.pick(['Image', 'a/b.gz']),
    size: random.between(1, 1e8),
    sha256: HASH,
  };
  return random.once(2) ? file : { ...file, gz: { ...file, file: 'Image.gz' } };
}

function validManifest(random: Random): Json {
  return {
    format: 1,
    name: 'micro',
    title: 'Micro Linux',
    description: 'A kernel and a shell.',
    kernel: validFile(random),
    ...(random.once(2) ? { initrd: validFile(random) } : {}),
    append: 'console=hvc0 quiet',
    memory: { default: 256 * MIB, minimum: 96 * MIB },
    ...(random.once(2) ? { packages: { busybox: '1:1.37', libc6: '2.41' } } : {}),
  };
}

function validCatalogue(random: Random): Json {
  const template = { name: 'micro', title: 'T', description: 'D', manifest: 'micro/manifest.json' };
  return { format: 1, templates: Array.from({ length: random.below(4) }, () => template) };
}

function checkFile(file: ImageFile): void {
  for (const one of file.gz ? [file, file.gz] : [file]) {
    const { href } = new URL(one.file, 'https://host/images/micro/manifest.json');
    if (!href.startsWith('https://host/images/micro/') || one.file.includes('..')) {
      throw new Finding(`The path ${one.file} leaves the folder.`);
    }
    if (!Number.isInteger(one.size) || one.size < 1 || one.size > 2 ** 31) {
      throw new Finding(`A file has the size ${one.size}.`);
    }
  }
}

function playManifest(random: Random): void {
  const text = textOf(mutated(validManifest(random), random, 60), random);
  const manifest = attempt(() => parseManifest(text, 'micro/manifest.json'));
  if (manifest === undefined) return;
  checkFile(manifest.kernel);
  if (manifest.initrd) checkFile(manifest.initrd);
  const { memory, append } = manifest;
  if (!(memory.minimum <= memory.default && memory.default <= 2 ** 31) || append.length > 2048) {
    throw new Finding(`A manifest got through with memory ${JSON.stringify(memory)}.`);
  }
  unpolluted();
}

function playCatalogue(random: Random): void {
  const text = textOf(mutated(validCatalogue(random), random, 40), random);
  const catalogue = attempt(() => parseCatalogue(text, 'images/index.json'));
  for (const template of catalogue?.templates ?? []) {
    const { href } = new URL(template.manifest, 'https://host/images/');
    if (!href.startsWith('https://host/images/')) throw new Finding(`${href} leaves the folder.`);
  }
  unpolluted();
}

function unpolluted(): void {
  for (const key in {}) throw new Finding(`Every object now has a property ${key}.`);
}

/* Programs */

function kernel(random: Random): Uint8Array {
  const sizes = [0n, 4096n, BigInt(random.below(64 * MIB)), BigInt(random.below(300 * MIB))];
  const fields = {
    textOffset: random.once(8) ? big(random) : BigInt(random.below(3) * 2 * MIB),
    imageSize: random.once(12) ? big(random) : random.pick(sizes),
    flags: random.once(12) ? big(random) : 0n,
  };
  return damage(random, makeImage(fields, random.between(64, 9000)));
}

/** Segments one after another, but for one now and then that is anywhere. */
function elf(random: Random): Uint8Array {
  let next = RAM_BASE + random.below(4) * 4096;
  const segments: TestSegment[] = [];
  for (let i = random.between(1, random.once(20) ? 300 : 4); i > 0; i--) {
    const data = new Uint8Array(random.below(600));
    const memory = data.length + random.below(random.once(4) ? MIB : 5000);
    const physical = random.once(15) ? big(random) : BigInt(next);
    const virtual = random.once(4) ? physical | (0xffff_ffffn << 32n) : physical;
    segments.push({
      virtual: random.once(15) ? big(random) : virtual,
      physical,
      data,
      memory: random.once(30) ? big(random) : BigInt(memory),
    });
    next += memory + random.below(5000);
  }
  const place = (multiple: number) =>
    random.once(8) ? big(random) : BigInt(RAM_BASE + multiple * random.below(500));
  const symbols: Record<string, bigint> = { main: place(2) };
  if (random.once(2)) symbols.tohost = place(8);
  if (random.once(2)) symbols.fromhost = place(8);
  return damage(random, makeElf({ entry: place(2), segments, symbols }));
}

function playKernel(random: Random): void {
  const file = kernel(random);
  const image = attempt(() => parseLinuxImage(file));
  if (image === undefined) return;
  const { textOffset, imageSize } = image;
  if (imageSize < file.length || imageSize > 2 ** 31 || textOffset < 0 || textOffset > 2 ** 31) {
    throw new Finding(`A kernel got through with size ${imageSize} at ${textOffset}.`);
  }
}

function playElf(random: Random): void {
  const file = elf(random);
  const parsed = attempt(() => parseElf(file, ['tohost', 'fromhost']));
  if (parsed === undefined) return;
  const sizes = sizesInFile(file);
  for (const [i, { data, memorySize, physical }] of parsed.segments.entries()) {
    if (data.length !== sizes[i]) throw new Finding(`Segment ${i} is not whole.`);
    if (data.buffer !== file.buffer) throw new Finding('A segment was copied.');
    if (data.length > memorySize) throw new Finding('A segment is larger than its memory.');
    for (const number of [physical, memorySize]) mustBeExact(number);
  }
  mustBeExact(parsed.entry);
  for (const address of parsed.symbols.values()) mustBeExact(address);
}

/** Bytes of the segments that are to be loaded, straight from the program headers. */
function sizesInFile(file: Uint8Array): number[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const table = Number(view.getBigUint64(32, true));
  const size = view.getUint16(54, true);
  return Array.from({ length: view.getUint16(56, true) }, (_, i) => table + i * size)
    .filter((at) => view.getUint32(at, true) === 1 && view.getBigUint64(at + 40, true) !== 0n)
    .map((at) => Number(view.getBigUint64(at + 32, true)));
}

function mustBeExact(number: number): void {
  if (!Number.isSafeInteger(number) || number < 0) throw new Finding(`An address is ${number}.`);
}

/* Plans */

function memorySize(random: Random): number {
  return MEMORY_STEP * random.pick([16, 16 + random.below(64), 1536, random.between(16, 32768)]);
}

function boot(random: Random): BootConfig {
  const append = 'quiet';
  const initrd = random.once(2) ? new Uint8Array(random.below(3 * MIB)) : undefined;
  const other = random.once(40);
  switch (random.below(3)) {
    case 0:
      return { kind: 'linux', kernel: other ? elf(random) : kernel(random), initrd, append };
    case 1: {
      const firmware = random.once(2) ? elf(random) : new Uint8Array(random.below(400_000));
      const second = random.once(3) ? undefined : other ? elf(random) : kernel(random);
      return { kind: 'firmware', firmware, kernel: second, initrd, append };
    }
    default:
      return { kind: 'elf', elf: other ? kernel(random) : elf(random) };
  }
}

interface Part {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

/** All that the plan puts into RAM, with the memory that a program needs beyond its file. */
function partsOf(plan: BootPlan, config: BootConfig): Part[] {
  const parts: Part[] = [{ name: 'device tree', ...plan.fdt }];
  if (plan.dynamicInfo) parts.push({ name: 'dynamic info', ...plan.dynamicInfo });
  const program =
    config.kind === 'elf' ? config.elf : config.kind === 'firmware' && config.firmware;
  const memory = new Map<Uint8Array['byteOffset'], number>();
  if (program && isElf(program)) {
    for (const { physical, memorySize: size } of parseElf(program, []).segments) {
      memory.set(physical - RAM_BASE, size);
    }
  }
  const image = config.kind === 'elf' ? undefined : config.kernel;
  for (const { offset, data } of plan.writes) {
    const needs = data === image ? parseLinuxImage(data).imageSize : (memory.get(offset) ?? 0);
    parts.push({ name: 'program or initrd', offset, size: Math.max(needs, data.length) });
  }
  return parts;
}

function playPlan(random: Random): void {
  const config = boot(random);
  const memory = memorySize(random);
  const plan = attempt(() => planBoot(config, memory));
  if (plan === undefined) return;
  const parts = partsOf(plan, config).sort((a, b) => a.offset - b.offset);
  let end = 0;
  for (const { name, offset, size } of parts) {
    if (offset < end) throw new Finding(`The ${name} at ${offset} overlaps what ends at ${end}.`);
    end = offset + size;
    if (!(end <= memory)) throw new Finding(`The ${name} ends at ${end} in ${memory} bytes.`);
  }
  const { entry, htif, initrd, fdt } = plan;
  const addresses = [entry, htif?.tohost, htif?.fromhost];
  for (const address of addresses) {
    if (address === undefined) continue;
    const room = address === entry ? 2 : 8;
    if (!(address >= RAM_BASE && address + room <= RAM_BASE + memory && address % room === 0)) {
      throw new Finding(`The plan names the address 0x${address.toString(16)}.`);
    }
  }
  if (
    initrd &&
    !plan.writes.some(({ offset, data }) => {
      return offset === initrd.offset && data.length === initrd.size;
    })
  ) {
    throw new Finding('The initrd is not where the plan says.');
  }
  if (fdt.size < 8192 || fdt.offset % 8 !== 0) throw new Finding('The device tree has no room.');
}

const PLAYS = [playManifest, playCatalogue, playKernel, playElf, playPlan, playPlan];

export const images: Fuzzer = {
  name: 'images',
  what: 'manifests, kernels, ELF files, boot plans and archives with damaged places',
  bounded: 6000,
  play(random) {
    const which = random.below(PLAYS.length + 2);
    if (which === PLAYS.length) return playAr(random);
    if (which === PLAYS.length + 1) return playTar(random);
    return PLAYS[which]!(random);
  },
};
