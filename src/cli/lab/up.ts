/**
 * `tabvisor up`: brings a lab up, runs the commands that were asked for, and stays while there are
 * none. Guarantees that it ends with the first failing command's code, and leaves nothing behind.
 */
import { messageOf, UserError } from '../../machine/errors.ts';
import { ExitCode } from '../exit.ts';
import { parseUp, type UpArguments } from './arguments.ts';
import { type ControlCommand, type Handler, serveControl } from './control.ts';
import type { ExecResult } from './guest.ts';
import { type LoadedLab, loadLab } from './lab-members.ts';
import { serveMetrics } from './metrics-server.ts';
import { RunningLab } from './running-lab.ts';

type Ran = ExecResult & { readonly vm: string; readonly command: string };
const INTERRUPTED = 130;

export async function up(words: readonly string[]): Promise<number> {
  const args = parseUp(words);
  const loaded = await loadLab(args.file);
  for (const { vm } of args.exec) {
    if (!loaded.members.some(({ name }) => name === vm)) {
      const names = loaded.members.map(({ name }) => name).join(', ');
      throw new UserError(`--exec names the VM "${vm}", which the lab has not. It has: ${names}.`);
    }
  }
  const name = args.name ?? loaded.lab.name;
  // With --json, stdout is the result's alone.
  const print = args.json || args.exec.length > 0 ? process.stderr : process.stdout;
  const line = (vm: string, text: string) => print.write(`${vm} | ${text}\n`);
  const lab = new RunningLab(loaded, line, args.cpus);
  let down: (code: number) => void = () => {};
  const asked = new Promise<number>((resolve) => {
    down = resolve;
  });
  const server = await serveControl(
    name,
    handler(lab, () => down(ExitCode.Done)),
  );
  const interrupt = () => down(INTERRUPTED);
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  const ran: Ran[] = [];
  let problem: string | undefined;
  let metrics: Awaited<ReturnType<typeof serveMetrics>> | undefined;
  try {
    if (args.metrics !== undefined) {
      metrics = await serveMetrics(args.metrics, () => lab.all);
      print.write(`tabvisor: The figures are at ${metrics.url}\n`);
    }
    const work = perform(lab, args, ran).catch((error: unknown) => {
      problem = messageOf(error);
      return ExitCode.Failed;
    });
    const code = await Promise.race([work, asked, timeUp(args.timeoutSeconds)]);
    if (code === ExitCode.TimedOut)
      problem ??= `The time was up after ${args.timeoutSeconds} seconds.`;
    if (args.json) {
      const vms = await Promise.all(
        lab.all.map(async (guest) => {
          const { state, ready, reason } = guest;
          return { name: guest.name, state, ready, reason, figures: await guest.look() };
        }),
      );
      process.stdout.write(`${JSON.stringify({ lab: name, code, problem, vms, exec: ran })}\n`);
    }
    if (problem !== undefined) process.stderr.write(`tabvisor: ${problem}\n`);
    return code;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    metrics?.server.closeAllConnections();
    metrics?.server.close();
    await lab.end();
    server.close();
  }
}

async function perform(lab: RunningLab, args: UpArguments, ran: Ran[]): Promise<number> {
  await lab.up();
  for (const { vm, text } of args.exec) {
    const out = (stream: 'stdout' | 'stderr', data: Uint8Array) => {
      if (!args.json) process[stream].write(data);
    };
    const result = await guestOf(lab, vm).exec(text, { out });
    ran.push({ vm, command: text, ...result });
    if (result.code !== 0) return result.code;
  }
  if (args.exec.length > 0) return ExitCode.Done;
  // Until all have ended: one that an update has replaced does not count.
  while (lab.all.some(({ live }) => live)) {
    await Promise.race(lab.all.filter(({ live }) => live).map(({ ended }) => ended));
  }
  return lab.all.some(({ state }) => state === 'crashed') ? ExitCode.Failed : ExitCode.Done;
}

function timeUp(seconds: number | undefined): Promise<number> {
  return new Promise((resolve) => {
    if (seconds !== undefined) setTimeout(() => resolve(ExitCode.TimedOut), seconds * 1000).unref();
  });
}

function guestOf(lab: RunningLab, name: string) {
  const guest = lab.guests.get(name);
  if (guest) return guest;
  throw new UserError(`The lab has no VM "${name}" that has been started.`);
}

function handler(lab: RunningLab, down: () => void): Handler {
  return async (command: ControlCommand, out) => {
    switch (command.command) {
      case 'ps':
        out('stdout', table(lab));
        return ExitCode.Done;
      case 'exec':
        return (await guestOf(lab, command.vm).exec(command.text, { out })).code;
      case 'logs': {
        const some = command.vm === undefined ? lab.all : [guestOf(lab, command.vm)];
        for (const { name, log } of some)
          out('stdout', some.length > 1 ? `== ${name}\n${log}\n` : log);
        return ExitCode.Done;
      }
      case 'down':
        await lab.end();
        down();
        return ExitCode.Done;
      case 'update': {
        const next: LoadedLab = await loadLab(command.file);
        const end = await lab.update(next, command.batch ?? next.lab.update?.batch ?? 1);
        if (end.kind === 'updated') {
          out('stdout', `Updated: ${end.count} VMs.\n`);
          return ExitCode.Done;
        }
        out('stderr', `Rolled back, for ${end.name} was not healthy: ${end.reason}\n`);
        if (end.lost.length > 0)
          out('stderr', `These did not come back: ${end.lost.join(', ')}.\n`);
        return ExitCode.Failed;
      }
    }
  };
}

function table(lab: RunningLab): string {
  const rows = lab.all.map(({ name, state, ready, options }) => [
    name,
    state,
    ready ? 'ready' : '-',
    options.member.vm.template,
    (options.member.vm.tags ?? []).join(',') || '-',
  ]);
  const all = [['NAME', 'STATE', 'READY', 'TEMPLATE', 'TAGS'], ...rows];
  const widths = all[0]!.map((_, i) => Math.max(...all.map((row) => row[i]!.length)));
  return all
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
