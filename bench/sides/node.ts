/**
 * Tabvisor in Node: each boot is a process of its own (node-guest.ts), so that it starts as cold as
 * QEMU does. The process tells how many instructions had run at each line of the guest's script.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import * as v from 'valibot';
import { bundleForNode } from '../../tools/run-ts.mjs';
import { type BenchImage, ROOT } from '../image.ts';
import { ProcessSession, type Side } from '../session.ts';
import { blankDisk } from './disk.ts';
import { NoteSchema, type Order } from './order.ts';

export async function node(
  name: 'node' | 'interpreter',
  image: BenchImage,
  megabytes: number,
): Promise<Side> {
  const program = await bundleForNode(join(ROOT, 'bench/sides/node-guest.ts'));
  const tier = name === 'node' ? 'both' : 'interpreter';
  return {
    name,
    title: `Node ${process.versions.node}${name === 'node' ? '' : ', interpreter alone'}`,
    start(line) {
      const order: Order = {
        kernel: image.kernel,
        initrd: image.initrd,
        append: image.append,
        disk: blankDisk(name),
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
