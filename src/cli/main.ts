/**
 * The command line: takes the arguments to the command that they name. Guarantees that a mistake of
 * the caller ends with one sentence on stderr and exit code 2, and a defect with its trace and 1.
 */
import { isMainThread } from 'node:worker_threads';
import { messageOf, UserError } from '../machine/errors.ts';
import { disasm } from './disasm.ts';
import { disk } from './disk.ts';
import { ExitCode } from './exit.ts';
import { help } from './help.ts';
import { askLab } from './lab/commands.ts';
import { up } from './lab/up.ts';
import { runThread } from './lab/vm-thread.ts';
import { profile } from './profile.ts';
import { version } from './repository.ts';
import { run } from './run.ts';
import { snapshot } from './snapshot.ts';
import { templates } from './templates.ts';

const HELP = ['--help', '-h'];

async function main(words: readonly string[]): Promise<number> {
  const [command, ...rest] = words;
  const wantsHelp = rest.some((word) => HELP.includes(word));
  switch (command) {
    case 'run':
      if (!wantsHelp) return run(rest);
      process.stdout.write(help.run);
      return ExitCode.Done;
    case 'profile':
      if (!wantsHelp) return profile(rest);
      process.stdout.write(help.profile);
      return ExitCode.Done;
    case 'snapshot':
      if (!wantsHelp) return snapshot(rest, (text) => void process.stdout.write(text));
      process.stdout.write(help.snapshot);
      return ExitCode.Done;
    case 'templates':
      if (rest.length > 0 && !wantsHelp) {
        throw new UserError(`templates takes no arguments, so not "${rest[0]}".`);
      }
      process.stdout.write(wantsHelp ? help.templates : await templates());
      return ExitCode.Done;
    case 'disk':
      if (wantsHelp) process.stdout.write(help.disk);
      else await disk(rest);
      return ExitCode.Done;
    case 'disasm':
      if (wantsHelp) process.stdout.write(help.disasm);
      else await disasm(rest, process.stdout);
      return ExitCode.Done;
    case 'up':
      if (!wantsHelp) return up(rest);
      process.stdout.write(help.up);
      return ExitCode.Done;
    case 'ps':
    case 'exec':
    case 'logs':
    case 'down':
    case 'update':
      if (!wantsHelp) return askLab(command, rest);
      process.stdout.write(help.lab);
      return ExitCode.Done;
    case '--version':
    case '-V':
      if (rest.length > 0) {
        throw new UserError(`${command} takes no arguments, so not "${rest[0]}".`);
      }
      process.stdout.write(`tabvisor ${await version()}\n`);
      return ExitCode.Done;
    case undefined:
      throw new UserError(
        'Say what to do: run, up, profile, snapshot, disk, templates or disasm. See "tabvisor --help".',
      );
    default:
      if (!HELP.includes(command)) {
        throw new UserError(`There is no command "${command}". See "tabvisor --help".`);
      }
      process.stdout.write(help.main);
      return ExitCode.Done;
  }
}

// Who reads our output may stop reading (as head does): that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(ExitCode.Done);
  throw error;
});

// The same bundle is the thread of each VM of a lab.
if (isMainThread) await begin();
else await runThread();

async function begin(): Promise<void> {
  try {
    const code = await main(process.argv.slice(2));
    await flushed(process.stdout);
    await flushed(process.stderr);
    process.exit(code);
  } catch (error) {
    const usage = error instanceof UserError;
    process.stderr.write(
      usage ? `tabvisor: ${error.message}\n` : `tabvisor failed: ${stackOf(error)}\n`,
      () => process.exit(usage ? ExitCode.Usage : ExitCode.Failed),
    );
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error && error.stack ? error.stack : messageOf(error);
}

/** Pipes are written in the background: exiting before would cut the output. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}
