/**
 * The process in which a guest is measured in Node: one machine with its console on stdin and
 * stdout, as `tabvisor run` has it. Notes with the count of instructions go to the parent, one for
 * each line of the guest's script.
 */
import * as v from 'valibot';
import { FileDisk } from '../../src/cli/file-disk.ts';
import { nodeHost } from '../../src/cli/node-host.ts';
import { loadCore, loadTranslations, readInput } from '../../src/cli/repository.ts';
import { Machine } from '../../src/machine/machine.ts';
import { type Note, OrderSchema } from './order.ts';

const order = v.parse(OrderSchema, JSON.parse(process.argv[2] ?? ''));
const [kernel, initrd, core, disk, translations] = await Promise.all([
  readInput(order.kernel, 'The kernel'),
  readInput(order.initrd, 'The initrd'),
  loadCore(),
  FileDisk.open(order.disk, false),
  loadTranslations(),
]);
const machine = Machine.create(
  {
    memory: order.memory,
    boot: { kind: 'linux', kernel, initrd, append: order.append },
    core,
    shared: false,
    disks: [disk],
    tier: order.tier,
    translations,
  },
  nodeHost([process.stdout]),
);
let rest = '';
machine.onConsole((data, source) => {
  if (source !== 'hvc') return;
  process.stdout.write(data);
  const lines = (rest + Buffer.from(data).toString('latin1')).split(/\r?\n/);
  rest = lines.pop() ?? '';
  for (const text of lines) {
    if (!text.startsWith('@bench ')) continue;
    const note: Note = { text, instructions: machine.stats().instructions };
    process.send?.(note);
  }
});
machine.onEvent((event) => process.stderr.write(`${event}\n`));
machine.onState((state) => {
  if (state.kind !== 'off' && state.kind !== 'crashed') return;
  process.stderr.write(`The machine is ${state.kind}: ${state.reason ?? 'no reason given'}\n`, () =>
    process.exit(1),
  );
});
process.stdin.on('data', (data: Buffer) => machine.consoleInput(data));
machine.start();
