/**
 * `tabvisor run`: one machine on this terminal. Loads what the arguments name, connects console or
 * command, waits for the end, and turns it into an exit code.
 */
import { Machine, type MachineConfig, type MachineState } from '../machine/machine.ts';
import { MIB } from '../machine/memory-map.ts';
import { parseRunArguments, type RunArguments } from './arguments.ts';
import { ExitCode } from './exit.ts';
import { help } from './help.ts';
import { nodeHost } from './node-host.ts';
import { loadCore, loadTemplate, readInput } from './repository.ts';
import { attachTerminal, EscapeKeys } from './terminal.ts';

const DEFAULT_TEMPLATE = 'micro';
const DEFAULT_MEMORY = 256 * MIB;
const DEFAULT_APPEND = 'console=ttyS0 earlycon=sbi';

/** How a run ended. */
interface End {
  readonly code: number;
  /** For stderr. */
  readonly message?: string;
}

export async function run(words: readonly string[]): Promise<number> {
  const args = parseRunArguments(words);
  const [boot, core] = await Promise.all([loadBoot(args), loadCore()]);
  const config: MachineConfig = {
    memory: args.memory ?? boot.memory,
    boot: boot.boot,
    core,
    shared: false,
  };
  const machine = Machine.create(config, nodeHost([process.stdout, process.stderr]));
  const end = await untilEnd(machine, args);
  if (end.message !== undefined) process.stderr.write(`tabvisor: ${end.message}\n`);
  if (args.stats) process.stderr.write(`${JSON.stringify(machine.stats())}\n`);
  machine.destroy();
  return end.code;
}

async function loadBoot(
  args: RunArguments,
): Promise<{ boot: MachineConfig['boot']; memory: number }> {
  if (args.elf !== undefined) {
    const elf = await readInput(args.elf, 'The ELF file');
    return { boot: { kind: 'elf', elf }, memory: DEFAULT_MEMORY };
  }
  const firmware =
    args.firmware === undefined ? undefined : await readInput(args.firmware, 'The firmware');
  const { kernel, initrd, append, memory } = await loadKernel(args);
  if (firmware) return { boot: { kind: 'firmware', firmware, kernel, initrd, append }, memory };
  return { boot: { kind: 'linux', kernel, initrd, append }, memory };
}

async function loadKernel(args: RunArguments) {
  if (args.kernel !== undefined) {
    const [kernel, initrd] = await Promise.all([
      readInput(args.kernel, 'The kernel'),
      args.initrd === undefined ? undefined : readInput(args.initrd, 'The initrd'),
    ]);
    return { kernel, initrd, append: args.append ?? DEFAULT_APPEND, memory: DEFAULT_MEMORY };
  }
  const { manifest, kernel, initrd } = await loadTemplate(args.template ?? DEFAULT_TEMPLATE);
  const append = [manifest.append, args.append].filter(Boolean).join(' ');
  return { kernel, initrd, append, memory: manifest.memory.default };
}

function untilEnd(machine: Machine, args: RunArguments): Promise<End> {
  return new Promise((resolve) => {
    const keys = new EscapeKeys({
      send: (data) => machine.consoleInput(data),
      end: () => finish({ code: ExitCode.Done }),
      help: () => process.stdout.write(help.keys.replaceAll('\n', '\r\n')),
    });
    const tty = process.stdin.isTTY === true;
    machine.onConsole((data) => process.stdout.write(data));
    machine.onState((state) => {
      const end = endOf(state);
      if (end) finish(end);
    });
    const terminal = attachTerminal(process.stdin, process.stdout, {
      data: (data) => (tty ? keys.feed(data) : machine.consoleInput(data)),
      resize: ({ columns, rows }) => machine.resize(columns, rows),
    });
    const timer =
      args.timeoutSeconds === undefined
        ? undefined
        : setTimeout(() => {
            const message = `The guest was still running after ${args.timeoutSeconds} seconds.`;
            finish({ code: ExitCode.TimedOut, message });
          }, args.timeoutSeconds * 1000);
    const finish = (end: End) => {
      clearTimeout(timer);
      terminal.restore();
      resolve(end);
    };
    machine.start();
  });
}

function endOf(state: MachineState): End | undefined {
  if (state.kind === 'off') {
    return { code: (state.exitCode ?? ExitCode.Done) & 0xff, message: state.reason };
  }
  if (state.kind === 'crashed') return { code: ExitCode.Failed, message: state.reason };
  return undefined;
}
