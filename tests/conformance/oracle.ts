/**
 * Runs a RAM image on QEMU and gives the RAM as QEMU left it. The guest's RAM is a file that both
 * sides see (memory-backend-file with share=on): nothing is loaded and nothing is printed, so a
 * start costs a fraction of a second. Relies on QEMU 10 as tools/qemu.mjs fetches it; with
 * TABVISOR_QEMU another one (7.2 lacks some extensions).
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { qemuSystemRiscv64 } from '../../tools/qemu.mjs';
import { RAM_SIZE } from './layout.ts';

/** The extensions of this machine and nothing else, so that illegal instructions agree. */
const EXTENSIONS = [
  ...['m', 'a', 'f', 'd', 'c', 's', 'u', 'mmu', 'pmp', 'zicsr', 'zifencei', 'zicntr', 'zihpm'],
  ...['zba', 'zbb', 'zbs', 'zicond', 'zicbom', 'zicboz', 'zicbop', 'zihintpause', 'zawrs', 'sstc'],
  ...['svinval', 'svnapot', 'svadu', 'sv48'],
];

/** What QEMU 7.2 does not know, or always has. */
const MISSING_IN_7: readonly string[] = [
  ...['zicond', 'zicbom', 'zicboz', 'zicbop', 'zawrs', 'svadu', 'zihintpause'],
  ...['zicntr', 'zihpm', 's', 'u', 'm', 'a', 'f', 'd', 'c', 'sv48', 'zicsr', 'zifencei'],
];

export interface Oracle {
  readonly version: string;
  /** Extensions of the table that it lacks. */
  readonly without: ReadonlySet<string>;
  /** Runs the image to its end. Undefined: it did not end within `seconds`. */
  run(image: Uint8Array, seconds?: number): Promise<Uint8Array | undefined>;
  dispose(): void;
}

interface Start {
  readonly command: string;
  readonly args: readonly string[];
  readonly version: string;
}

async function findQemu(): Promise<Start> {
  const given = process.env.TABVISOR_QEMU;
  if (given !== undefined) return { command: given, args: [], version: '7.2 or as given' };
  return qemuSystemRiscv64();
}

/** Finds QEMU (fetches it when it is not here yet). `extra` are further arguments for it. */
export async function createOracle(extra: readonly string[] = []): Promise<Oracle> {
  const { command, args, version } = await findQemu();
  const isOld = /^7\./.test(version);
  const missing = new Set(isOld ? MISSING_IN_7 : []);
  const cpu = isOld
    ? ['rv64', ...EXTENSIONS.filter((name) => !missing.has(name) && name !== 'pmp')]
    : ['rv64i', ...EXTENSIONS];
  const shared = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const folder = mkdtempSync(join(shared, 'tabvisor-conformance-'));
  const dispose = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', dispose);
  let runs = 0;

  async function run(image: Uint8Array, seconds = 60): Promise<Uint8Array | undefined> {
    const file = join(folder, `ram-${runs++}`);
    writeFileSync(file, image);
    const child = spawn(
      command,
      [
        ...args,
        // Two harts, the second of which sleeps: only then are AMOs one access in QEMU. With one
        // hart they are a load and a store, and a page without W can show the load's faults.
        ...['-smp', '2'],
        ...['-machine', 'virt,memory-backend=ram', '-m', `${RAM_SIZE >> 20}M`],
        '-object',
        `memory-backend-file,id=ram,size=${RAM_SIZE},mem-path=${file},share=on`,
        ...['-cpu', cpu.map((name, i) => (i === 0 ? name : `${name}=on`)).join(',')],
        ...['-bios', 'none', '-display', 'none', '-serial', 'null', '-monitor', 'none'],
        ...['-nodefaults', '-no-user-config'],
        ...extra,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let complaint = '';
    child.stderr.on('data', (data) => {
      complaint += data;
    });
    try {
      const code = await new Promise<number | null>((resolve, reject) => {
        const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
        child.once('error', reject);
        child.once('exit', (status) => {
          clearTimeout(timer);
          resolve(status);
        });
      });
      if (code === null) return undefined;
      if (code !== 0) throw new Error(`QEMU ended with code ${code}: ${complaint.trim()}`);
      return new Uint8Array(readFileSync(file));
    } finally {
      rmSync(file, { force: true });
    }
  }

  return { version, without: missing, run, dispose };
}
