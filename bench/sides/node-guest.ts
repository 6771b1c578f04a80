/**
 * The process in which a guest is measured in Node: one machine with its console on stdin and
 * stdout, as `tabvisor run` has it. Notes with the count of instructions go to the parent, one for
 * each line of the guest's script.
 */
import * as v from 'valibot';
import { FileDisk } from '../../src/cli/file-disk.ts';
import { nodeHost } from '../../src/cli/node-host.ts';
import { openOverlay } from '../../src/cli/overlay.ts';
import { loadCore, loadTranslations, readInput } from '../../src/cli/repository.ts';
import type { BlockBackend } from '../../src/machine/devices/virtio/block-backend.ts';
import { Machine } from '../../src/machine/machine.ts';
import { plainText } from '../session.ts';
import { type Note, type OrderedDisk, OrderSchema } from './order.ts';

const order = v.parse(OrderSchema, JSON.parse(process.argv[2] ?? ''));
const [kernel, initrd, core, disk, translations] = await Promise.all([
  readInput(order.kernel, 'The kernel'),
  readInput(order.initrd, 'The initrd'),
  loadCore(),
  openDisk(order.disk),
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
async function openDisk(disk: OrderedDisk): Promise<BlockBackend> {
  return 'raw' in disk ? FileDisk.open(disk.raw, false) : (await openOverlay(disk)).disk;
}

let rest = '';
machine.onConsole((data, source) => {
  if (source !== 'hvc') return;
  process.stdout.write(data);
  const lines = (rest + Buffer.from(data).toString('latin1')).split('\n');
  rest = lines.pop() ?? '';
  for (const line of lines) {
    const text = plainText(line);
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
