/**
 * Tabvisor in Node: each boot is a process of its own (node-guest.ts), so that it starts as cold as
 * QEMU does. The process tells how many instructions had run at each line of the guest's script.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import * as v from 'valibot';
import { bundleForNode } from '../../tools/run-ts.mjs';
import { ROOT } from '../image.ts';
import { ProcessSession, type Side } from '../session.ts';
import { nodeDisk } from './disk.ts';
import { NoteSchema, type Order } from './order.ts';

/** `kept`: blank disks are overlays that last. */
export async function node(
  name: 'node' | 'interpreter',
  megabytes: number,
  { kept = false } = {},
): Promise<Side> {
  const program = await bundleForNode(join(ROOT, 'bench/sides/node-guest.ts'));
  const tier = name === 'node' ? 'both' : 'interpreter';
  return {
    name,
    title: `Node ${process.versions.node}${name === 'node' ? '' : ', interpreter alone'}`,
    start(guest, line) {
      const order: Order = {
        kernel: guest.kernel,
        initrd: guest.initrd,
        append: guest.append,
        disk: nodeDisk(name, guest, kept),
        memory: megabytes << 20,
        tier,
      };
      const session: ProcessSession = new ProcessSession(
        () => {
          const child = spawn(process.execPath, [program, JSON.stringify(order)], {
            stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
          });
          child.on('message', (message) =>
            session.lines.push({ ...v.parse(NoteSchema, message), at: performance.now() }),
          );
          return child;
        },
        line,
        false,
      );
      return session;
    },
  };
}
