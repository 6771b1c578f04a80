/**
 * `tabvisor run`: one machine in this process. Loads what the arguments name, runs it in a session
 * (session.ts), and turns its end into an exit code.
 */
import { AGENT_PORT } from '../machine/agent.ts';
import { SHARED_TAG, type ShareBackend } from '../machine/devices/virtio/share-backend.ts';
import { UserError } from '../machine/errors.ts';
import { EXEC_APPEND } from '../machine/exec.ts';
import { GUEST_PORTS, portsNamed } from '../machine/guest-ports.ts';
import { GuestWatch } from '../machine/guest-watch.ts';
import { parseElf } from '../machine/loader/elf.ts';
import { parseLinuxImage } from '../machine/loader/image.ts';
import { type BootConfig, Machine, type MachineConfig } from '../machine/machine.ts';
import { MIB } from '../machine/memory-map.ts';
import { localShare } from '../storage/ninep/share.ts';
import { parseRunArguments, type RunArguments, type ShareArgument } from './arguments.ts';
import { ExitCode } from './exit.ts';
import { FileDisk } from './file-disk.ts';
import { checkFirmware } from './firmware.ts';
import { applyLimits } from './limits.ts';
import { type LockstepRun, runLockstep } from './lockstep.ts';
import { nodeHost } from './node-host.ts';
import { NodeShare } from './node-share.ts';
import { openOverlay } from './overlay.ts';
import {
  DEFAULT_TEMPLATE,
  loadCore,
  loadTemplate,
  loadTranslations,
  readInput,
} from './repository.ts';
import {
  type CommandOptions,
  commandSession,
  consoleSession,
  type End,
  type Session,
} from './session.ts';
import {
  bootOf,
  disksOf,
  type OpenTabvm,
  openTabvm,
  type SaveOptions,
  saveTabvm,
  sharesOf,
  unusable,
} from './tabvm.ts';
import { type TemplateStart, templateStart } from './template-start.ts';
import { traceLine } from './trace.ts';

/** Time between two looks at what the guest tells of itself. */
const LOOK_MS = 1000;
const DEFAULT_MEMORY = 256 * MIB;
const DEFAULT_APPEND = 'console=ttyS0 earlycon=sbi';

/** Who looks at a guest while it runs: `tabvisor profile`. */
export interface Observer extends CommandOptions {
  readonly sampler: MachineConfig['sampler'];
  /** Called before the guest boots. */
  readonly boots: (boot: BootConfig) => void;
  /** Called at the end, while the machine still has its memory. */
  readonly ended: () => void;
}

export async function run(words: readonly string[], observer?: Observer): Promise<number> {
  const args = parseRunArguments(words);
  const opened = args.snapshot === undefined ? undefined : await openTabvm(args.snapshot);
  try {
    return await runFrom(args, opened, observer);
  } catch (error) {
    throw args.snapshot === undefined ? error : unusable(args.snapshot, error);
  } finally {
    await opened?.close();
  }
}

async function runFrom(
  args: RunArguments,
  opened: OpenTabvm | undefined,
  observer: Observer | undefined,
): Promise<number> {
  const [core, translations] = await Promise.all([loadCore(), loadTranslations()]);
  // Who looks at a guest wants to see all of it.
  const template = observer ? undefined : await templateStart(args);
  const { boot, memory, disk, ports } = await programOf(args, opened, template);
  if (args.lockstep) {
    return lockstep(args, { boot: await loaded(boot), memory: args.memory ?? memory, core });
  }
  observer?.boots(await loaded(boot));
  const disks: FileDisk[] = [];
  const root = args.overlay ?? (disk === undefined ? undefined : {});
  const overlay = root && (await openOverlay({ ...root, image: root.image ?? disk }));
  const held = opened && (await disksOf(opened));
  try {
    for (const { file, readOnly } of args.disks) disks.push(await FileDisk.open(file, readOnly));
    const shares = args.share
      ? [await shareOf(args.share)]
      : opened
        ? await sharesOf(opened, reportShare)
        : template
          ? [template.share]
          : [];
    const session =
      args.exec === undefined ? consoleSession() : commandSession(args.exec, observer);
    const ownDisks = held ? held.disks : overlay ? [overlay.disk, ...disks] : disks;
    const { columns, rows } = process.stdout;
    const machine = Machine.create(
      {
        memory: args.memory ?? memory,
        memoryTarget: args.memoryTarget,
        boot,
        core,
        shared: false,
        disks: ownDisks,
        shares,
        ports: portsNamed(ports, session.ports),
        agent: ports.includes(AGENT_PORT),
        tier: args.tier,
        without: args.without,
        translations,
        console: columns > 0 && rows > 0 ? { columns, rows } : undefined,
        sampler: observer?.sampler,
        trace: args.trace ? (board) => void process.stderr.write(traceLine(board)) : undefined,
      },
      nodeHost([process.stdout, process.stderr]),
    );
    if (args.limits) applyLimits(machine, args.limits, overlay ? 1 : 0);
    if (opened) await machine.restore(opened.source);
    if (template) await startTemplate(machine, template);
    const watching = args.stats ? watchGuest(machine) : undefined;
    const end = await withTimeout(session.run(machine), args.timeoutSeconds);
    clearInterval(watching);
    if (args.save !== undefined) {
      const name = opened ? opened.file.head.template : templateOf(args);
      const options = { path: args.save, boot: await loaded(boot), disks: ownDisks };
      await save(machine, session, { ...options, template: name });
    }
    const stats = machine.stats();
    observer?.ended();
    machine.destroy();
    if (end.message !== undefined) process.stderr.write(`tabvisor: ${end.message}\n`);
    if (args.stats) process.stderr.write(`${JSON.stringify(stats)}\n`);
    return end.code;
  } finally {
    await Promise.all([held?.close(), overlay?.close(), ...disks.map((disk) => disk.close())]);
  }
}

interface Program {
  readonly boot: MachineConfig['boot'];
  readonly memory: number;
  /** Manifest of the root disk. */
  readonly disk?: string | undefined;
  /** Names of the virtio console's further ports. */
  readonly ports: readonly string[];
}

/** What the machine runs, and what it must have for that. */
export async function programOf(
  args: RunArguments,
  opened: OpenTabvm | undefined,
  template: TemplateStart | undefined,
): Promise<Program> {
  if (opened) {
    const { memory, ports } = opened.setup;
    return { boot: await bootOf(opened), memory, ports };
  }
  if (template) {
    const { memory, disk } = template;
    // For a reset, or when the snapshot cannot be taken.
    const boot = async () => (await loadBoot(args)).boot;
    return { boot, memory, disk, ports: GUEST_PORTS };
  }
  const loaded = await loadBoot(args);
  // What a bare-metal program finds is what there is without a guest's conventions.
  return { ...loaded, ports: loaded.boot.kind === 'elf' ? [] : GUEST_PORTS };
}

async function loaded(boot: MachineConfig['boot']): Promise<BootConfig> {
  return typeof boot === 'function' ? boot() : boot;
}

/** Makes a machine what its template's snapshot holds; one that it cannot take boots its kernel. */
export async function startTemplate(
  machine: Machine,
  { source, name }: TemplateStart,
): Promise<void> {
  await machine.restore(source, { generation: 'new', name }).catch(() => {});
}

/** Asks the guest for what it has to tell, now and then: the figures hold its last answer. */
function watchGuest(machine: Machine): NodeJS.Timeout {
  const watch = new GuestWatch(machine);
  return setInterval(() => watch.look(machine.stats('estimate')), LOOK_MS).unref();
}

/** The machine in a file, after its command. */
async function save(machine: Machine, session: Session, options: SaveOptions): Promise<void> {
  if (machine.state.kind === 'running') await session.ready?.();
  if (machine.state.kind !== 'running') {
    throw new UserError('The guest ended with its command: there is no machine to save.');
  }
  await saveTabvm(machine, options);
}

function templateOf({ template, kernel, elf }: RunArguments): string {
  return template ?? (kernel === undefined && elf === undefined ? DEFAULT_TEMPLATE : '');
}

/** The folder that the guest sees as /mnt/shared. */
async function shareOf({ folder, readOnly }: ShareArgument): Promise<ShareBackend> {
  const share = await NodeShare.open(folder, readOnly);
  return localShare(SHARED_TAG, share, reportShare);
}

function reportShare(reason: string): void {
  process.stderr.write(`tabvisor: The shared folder failed: ${reason}\n`);
}

async function lockstep(
  { exec, tier, without, timeoutSeconds, stats }: RunArguments,
  given: { boot: BootConfig; memory: number; core: WebAssembly.Module },
): Promise<number> {
  let figures: LockstepRun['figures'] | undefined;
  const both = async (): Promise<End> => {
    const run = await runLockstep({
      ...given,
      exec,
      without,
      ...(tier && tier !== 'interpreter' && { tier }),
    });
    figures = run.figures;
    return run.end;
  };
  const end = await withTimeout(both(), timeoutSeconds);
  if (end.message !== undefined) process.stderr.write(`tabvisor: ${end.message}\n`);
  if (stats && figures) process.stderr.write(`${JSON.stringify(figures)}\n`);
  return end.code;
}

interface LoadedBoot {
  readonly boot: BootConfig;
  readonly memory: number;
  /** Manifest of the root disk. */
  readonly disk?: string | undefined;
}

async function loadBoot(args: RunArguments): Promise<LoadedBoot> {
  if (args.elf !== undefined) {
    const elf = await readInput(args.elf, 'The ELF file');
    parseElf(elf, [], `The ELF file ${args.elf}`);
    return { boot: { kind: 'elf', elf }, memory: DEFAULT_MEMORY };
  }
  const firmware =
    args.firmware === undefined ? undefined : await readInput(args.firmware, 'The firmware');
  if (firmware) checkFirmware(firmware, args.firmware ?? '');
  const { memory, disk, ...kernel } = await loadKernel(args);
  return {
    boot: firmware ? { kind: 'firmware', firmware, ...kernel } : { kind: 'linux', ...kernel },
    memory,
    disk,
  };
}

async function loadKernel(args: RunArguments) {
  const exec = args.exec === undefined ? [] : [EXEC_APPEND];
  if (args.kernel !== undefined) {
    const [kernel, initrd] = await Promise.all([
      readInput(args.kernel, 'The kernel'),
      args.initrd === undefined ? undefined : readInput(args.initrd, 'The initrd'),
    ]);
    // Once more when the boot is planned, where no file has a name.
    parseLinuxImage(kernel, `The kernel ${args.kernel}`);
    const append = [args.append ?? DEFAULT_APPEND, ...exec].join(' ');
    return { kernel, initrd, append, memory: DEFAULT_MEMORY, disk: undefined };
  }
  const { manifest, kernel, initrd, disk } = await loadTemplate(args.template ?? DEFAULT_TEMPLATE);
  if (args.memory !== undefined && args.memory < manifest.memory.minimum) {
    throw new UserError(
      `The template ${manifest.name} needs ${Math.ceil(manifest.memory.minimum / MIB)} MB of ` +
        `memory at least, not ${Math.floor(args.memory / MIB)} MB. Give it more.`,
    );
  }
  const append = [manifest.append, args.append ?? '', ...exec].filter(Boolean).join(' ');
  return { kernel, initrd, append, memory: manifest.memory.default, disk };
}

/** The end of a session, or of its time. */
async function withTimeout(session: Promise<End>, seconds: number | undefined): Promise<End> {
  if (seconds === undefined) return session;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<End>((resolve) => {
    timer = setTimeout(
      () =>
        resolve({
          code: ExitCode.TimedOut,
          message: `The time was up: the guest was still at work after ${seconds} seconds.`,
        }),
      seconds * 1000,
    );
  });
  try {
    return await Promise.race([session, late]);
  } finally {
    clearTimeout(timer);
  }
}
