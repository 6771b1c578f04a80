/**
 * `tabvisor profile`: runs a guest as `run` does, samples where it is, and shows the hottest places
 * with their symbols, or one place's code with the WebAssembly that is made of it.
 */
import { UserError } from '../machine/errors.ts';
import { isElf } from '../machine/loader/elf.ts';
import type { BootConfig } from '../machine/machine.ts';
import { type EngineFeatures, engineFeatures } from '../translator/features.ts';
import { findRegion, type Region } from '../translator/region.ts';
import { describeRegion, guestText } from '../translator/text.ts';
import { parseRunArguments } from './arguments.ts';
import { readElfSymbols } from './elf-symbols.ts';
import { readKallsyms } from './kallsyms.ts';
import { parseProfileArguments } from './profile-arguments.ts';
import { reportOf, tableOf } from './profile-report.ts';
import { type CodePage, type Mode, Profiler, type Sample } from './profiler.ts';
import { run } from './run.ts';
import type { SymbolTable } from './symbols.ts';

type Symbols = (mode: Mode) => SymbolTable | undefined;

const PAGE_MASK = -4096n;

/** Options of `run` that leave nothing to sample. */
const REFUSED = ['--trace', '--lockstep'];

export async function profile(words: readonly string[]): Promise<number> {
  const { rest, ...options } = parseProfileArguments(words);
  const refused = REFUSED.find((option) => rest.includes(option));
  if (refused !== undefined) {
    throw new UserError(`${refused} is for "tabvisor run": a profile cannot have it.`);
  }
  const { exec, without } = parseRunArguments(rest, 'profile');
  const profiler = new Profiler(options.interval, options.boot || exec === undefined);
  let symbols: Symbols = () => undefined;
  let report = '';
  const code = await run(rest, {
    sampler: profiler,
    output: process.stderr,
    boots: (boot) => {
      symbols = symbolsOf(boot);
    },
    onStart: () => {
      profiler.active = true;
    },
    ended: () => {
      const { samples, instructions } = profiler;
      if (options.region !== undefined) {
        report = regionText(profiler, symbols, options.region, engineFeatures(without));
        return;
      }
      const { top, by } = options;
      const result = reportOf(samples, { top, by, symbols, instructions });
      report = options.json ? `${JSON.stringify(result)}\n` : tableOf(result);
    },
  });
  process.stdout.write(report);
  return code;
}

/** Symbols for each mode. What has none is no reason not to profile, but worth a word. */
function symbolsOf(boot: BootConfig): Symbols {
  if (boot.kind === 'elf') {
    const table = readElfSymbols(boot.elf);
    return () => table;
  }
  let kernel: SymbolTable | undefined;
  if (boot.kernel) {
    try {
      kernel = readKallsyms(boot.kernel);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      process.stderr.write(`tabvisor: ${error.message}\n`);
    }
  }
  const isElfFirmware = boot.kind === 'firmware' && isElf(boot.firmware);
  const machine = isElfFirmware ? readElfSymbols(boot.firmware) : undefined;
  return (mode) => ({ user: undefined, kernel, machine })[mode];
}

/** The region around a place: its guest code, and the module that the translator makes of it. */
function regionText(
  profiler: Profiler,
  symbols: Symbols,
  where: string,
  features: EngineFeatures,
): string {
  const address = addressOf(profiler.samples, symbols, where);
  const page = profiler.page(address);
  if (!page) {
    throw new UserError(
      `The code at ${where} cannot be read any more. Give an address that the profile shows.`,
    );
  }
  const base = address & PAGE_MASK;
  const region = regionAround(page, Number(address - base));
  if (region.instructions === 0) {
    throw new UserError(`At ${where} is nothing that would be translated. Give another address.`);
  }
  const { text } = describeRegion(region, features, base);
  return `${guestText(region, base)}\n${text}`;
}

/**
 * The translator's region that an offset in the page is in, as far as it can be told from where
 * translated code can be entered; else the region that begins there.
 */
function regionAround({ code, entries }: CodePage, offset: number): Region {
  const view = new DataView(code.buffer);
  const regionOf = (entry: number) =>
    findRegion(view, entry, (other) => other !== entry && entries.includes(other));
  const holds = ({ blocks }: Region) =>
    [...blocks.values()].some(({ instructions }) => instructions.some((i) => i.offset === offset));
  const near = [...entries].sort((a, b) => Math.abs(offset - a) - Math.abs(offset - b));
  return (
    near
      .filter((entry) => entry <= offset)
      .map(regionOf)
      .find(holds) ??
    near.map(regionOf).find(holds) ??
    regionOf(offset)
  );
}

/** The address that a person means. */
function addressOf(samples: readonly Sample[], symbols: Symbols, where: string): bigint {
  for (const mode of ['kernel', 'machine'] as const) {
    const symbol = symbols(mode)?.named(where);
    if (symbol) return symbol.address;
  }
  if (/^(0x)?[0-9a-f]+$/i.test(where)) {
    const address = BigInt(`0x${where.replace(/^0x/i, '')}`) & -2n;
    return BigInt.asUintN(64, address);
  }
  const hottest = samples.reduce<Sample | undefined>(
    (a, b) => (a && a.count >= b.count ? a : b),
    undefined,
  );
  const example = hottest ? ` such as ${hottest.address.toString(16)}` : '';
  throw new UserError(
    `There is no symbol "${where}". Give one that the profile shows, or an address${example}.`,
  );
}
