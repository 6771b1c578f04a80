/**
 * The thread of one VM of a lab: the same machine as `tabvisor run` has, behind messages. Relies on
 * being a worker of `tabvisor up`; what goes wrong is a state of the VM, not a crash of the process.
 */
import { parentPort, workerData } from 'node:worker_threads';
import * as v from 'valibot';
import { AGENT_PORT } from '../../machine/agent.ts';
import { messageOf } from '../../machine/errors.ts';
import { portsNamed } from '../../machine/guest-ports.ts';
import { GuestWatch } from '../../machine/guest-watch.ts';
import { Machine } from '../../machine/machine.ts';
import { parseRunArguments } from '../arguments.ts';
import { FileDisk } from '../file-disk.ts';
import { applyLimits } from '../limits.ts';
import { nodeHost } from '../node-host.ts';
import { openOverlay } from '../overlay.ts';
import { loadCore, loadTranslations } from '../repository.ts';
import { programOf, startTemplate } from '../run.ts';
import { templateStart } from '../template-start.ts';
import { GuestShell } from './guest-shell.ts';
import {
  FiguresSchema,
  type Report,
  RequestSchema,
  type ThreadSetup,
  ThreadSetupSchema,
} from './thread-messages.ts';

const LOOK_MS = 1000;

function say(report: Report): void {
  parentPort?.postMessage(report);
}

export async function runThread(): Promise<void> {
  try {
    await serve(v.parse(ThreadSetupSchema, workerData));
  } catch (error) {
    say({ type: 'state', state: 'crashed', reason: messageOf(error) });
    say({ type: 'ended' });
  }
}

async function serve({ words, limits, name }: ThreadSetup): Promise<void> {
  // Its guest serves commands: that is what --exec asks for.
  const args = parseRunArguments([...words, '--exec=:']);
  const [core, translations] = await Promise.all([loadCore(), loadTranslations()]);
  const template = await templateStart(args);
  const { boot, memory, disk, ports } = await programOf(args, undefined, template);
  const overlay = disk === undefined ? undefined : await openOverlay({ image: disk });
  const disks: FileDisk[] = [];
  for (const { file, readOnly } of args.disks) disks.push(await FileDisk.open(file, readOnly));
  const shell = new GuestShell(() => say({ type: 'listening' }));
  const machine = Machine.create(
    {
      memory: args.memory ?? memory,
      memoryTarget: limits.memory?.target,
      boot,
      core,
      shared: false,
      disks: overlay ? [overlay.disk, ...disks] : disks,
      shares: template ? [template.share] : [],
      ports: portsNamed(ports, shell.ports),
      agent: ports.includes(AGENT_PORT),
      translations,
      console: { columns: 80, rows: 24 },
    },
    nodeHost(),
  );
  // Its weight and cap are the scheduler's, which divides this computer among the threads.
  applyLimits(machine, { ...limits, cpu: undefined }, overlay ? 1 : 0);
  machine.onConsole((data) => say({ type: 'console', data: data.slice() }));
  machine.onEvent(({ text }) => say({ type: 'event', text }));
  machine.onCpuDemand((demand) => say({ type: 'demand', demand }));
  const ended = new Promise<void>((resolve) => {
    machine.onState((state) => {
      const { kind } = state;
      if (kind === 'running' || kind === 'paused') say({ type: 'state', state: kind, reason: '' });
      if (kind !== 'off' && kind !== 'crashed') return;
      const reason = state.reason ?? 'It was powered off.';
      say({ type: 'state', state: kind, reason });
      shell.end(`The guest has ended: ${reason}`);
      resolve();
    });
    parentPort?.on('message', (message: unknown) => answer(message, resolve));
  });
  const watch = new GuestWatch(machine);
  const watching = setInterval(() => watch.look(machine.stats('estimate')), LOOK_MS);
  const figures = () =>
    say({ type: 'figures', figures: v.parse(FiguresSchema, machine.stats('estimate')) });
  const answer = (message: unknown, end: () => void) => {
    const request = v.parse(RequestSchema, message);
    switch (request.type) {
      case 'exec': {
        const { id, text, stdin } = request;
        const output = (stream: 'stdout' | 'stderr') => (data: Uint8Array) =>
          say({ type: 'output', id, stream, data: data.slice() });
        shell
          .run(text, { stdout: output('stdout'), stderr: output('stderr') }, stdin)
          .then((code) => say({ type: 'exit', id, code }))
          .catch((error: unknown) => say({ type: 'failure', id, reason: messageOf(error) }));
        return;
      }
      case 'quota':
        machine.setCpuQuota(request.quota);
        return;
      case 'pause':
        if (request.paused) machine.pause();
        else machine.resume();
        return;
      case 'figures':
        figures();
        return;
      case 'end':
        end();
    }
  };
  shell.attach((port) => machine.port(port));
  if (template) await startTemplate(machine, { ...template, name });
  if (machine.state.kind === 'paused') {
    machine.resume();
    shell.resumed();
  } else machine.start();
  await ended;
  clearInterval(watching);
  figures();
  machine.destroy();
  await Promise.all([overlay?.close(), ...disks.map((one) => one.close())]);
  say({ type: 'ended' });
  parentPort?.close();
}
