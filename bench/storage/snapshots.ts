/**
 * What a snapshot costs at several sizes of memory: how long the guest stands still, when all is
 * durable, what is stored, and how soon a guest goes on from it. The guest has filled a quarter of its
 * memory with what cannot be compressed, and keeps on changing some of it.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fleetOf } from '../../e2e/support/fleet.ts';
import { NodeFolder } from '../../src/cli/node-folder.ts';
import { nodeHost } from '../../src/cli/node-host.ts';
import { loadCore, loadTemplate, loadTranslations } from '../../src/cli/repository.ts';
import { Machine } from '../../src/machine/machine.ts';
import { DiskStore } from '../../src/storage/disk/disk-store.ts';
import { stateCodec } from '../../src/storage/snapshots/codec.ts';
import { SnapshotStore } from '../../src/storage/snapshots/snapshot-store.ts';
import { ROOT } from '../image.ts';
import { PROMPT, plainText } from '../session.ts';
import { promptShown } from '../sides/chromium.ts';
import { createGuest, lineShown, openProfile, type Site } from './browser.ts';

export const MEMORIES = [128, 512, 1024] as const;

/** Milliseconds and bytes. */
export interface SnapshotFigures {
  readonly pause: number;
  readonly whole: number;
  readonly bytes: number;
  /** Of a second one, soon after: what changed. */
  readonly nextPause: number;
  readonly nextWhole: number;
  readonly nextBytes: number;
  /** From the call until the guest runs. */
  readonly restore: number;
  /** From the call until its shell has answered. */
  readonly answer: number;
}

/** How long the guest works between the two snapshots. */
const BETWEEN_MS = 1000;

function work(megabytes: number, quick: boolean): string {
  const fill = quick ? 1 : megabytes / 4;
  return (
    `dd if=/dev/urandom of=/tmp/fill bs=1M count=${fill} 2>/dev/null; ` +
    '(while :; do dd if=/dev/urandom of=/tmp/fill bs=64k count=16 conv=notrunc 2>/dev/null; ' +
    'usleep 50000; done) & echo filled-$((1 + 1))'
  );
}
const FILLED = 'filled-2';
const QUESTION = 'echo answer-$((1 + 1))';
const ANSWER = 'answer-2';

export async function inNode(megabytes: number, quick: boolean): Promise<SnapshotFigures> {
  const folder = join(ROOT, 'build/bench/snapshots');
  rmSync(folder, { recursive: true, force: true });
  const files = new NodeFolder(folder);
  const disks = await DiskStore.open(files, async () => {
    throw new Error('The guest has no disk.');
  });
  const store = await SnapshotStore.open(files, disks, stateCodec);
  const guest = await NodeGuest.create(megabytes);
  let again: NodeGuest | undefined;
  try {
    guest.machine.start();
    await guest.shows(PROMPT);
    guest.type(work(megabytes, quick));
    await guest.shows(new RegExp(`^${FILLED}`, 'm'));
    const take = async (name: string) => {
      const id = name.padEnd(32, '0');
      const { pause_ms, total_ms } = await guest.machine.capture(
        store.sink({ vm: 'bench', name, kind: 'manual' }, id),
      );
      return { id, pause_ms, total_ms, bytes: (await store.record(id)).bytes };
    };
    const first = await take('a');
    await new Promise((done) => setTimeout(done, BETWEEN_MS));
    const second = await take('b');
    guest.machine.destroy();
    again = await NodeGuest.create(megabytes);
    const from = performance.now();
    const source = await store.source(second.id);
    await again.machine.restore(source);
    again.machine.resume();
    const restore = performance.now() - from;
    again.type(QUESTION);
    await again.shows(new RegExp(`^${ANSWER}`, 'm'));
    const answer = performance.now() - from;
    await again.settled();
    await source.close();
    return figures(first, second, restore, answer);
  } finally {
    guest.machine.destroy();
    again?.machine.destroy();
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function inChromium(
  site: Site,
  megabytes: number,
  quick: boolean,
): Promise<SnapshotFigures> {
  const { page, close } = await openProfile();
  try {
    const id = await createGuest(page, site, {
      template: 'micro',
      memory: megabytes << 20,
      run: work(megabytes, quick),
    });
    await promptShown(page);
    await lineShown(page, FILLED);
    const fleet = await fleetOf(page);
    const take = () =>
      fleet.evaluate(async (fleet, id) => {
        const report = await fleet.get(id)?.takeSnapshot({ name: 'bench' });
        if (!report) throw new Error('There is no such VM.');
        return report;
      }, id);
    const first = await take();
    await page.waitForTimeout(BETWEEN_MS);
    const second = await take();
    const from = performance.now();
    const restore = await fleet.evaluate(
      async (fleet, { id, snapshot }) => {
        const from = performance.now();
        await fleet.get(id)?.restore(snapshot);
        return performance.now() - from;
      },
      { id, snapshot: second.id },
    );
    await page.locator('.terminal-host textarea').focus();
    await page.keyboard.type(QUESTION);
    await page.keyboard.press('Enter');
    await lineShown(page, ANSWER);
    return figures(first, second, restore, performance.now() - from);
  } finally {
    await close();
  }
}

interface Taken {
  readonly pause_ms: number;
  readonly total_ms: number;
  readonly bytes: number;
}

function figures(first: Taken, second: Taken, restore: number, answer: number): SnapshotFigures {
  return {
    pause: first.pause_ms,
    whole: first.total_ms,
    bytes: first.bytes,
    nextPause: second.pause_ms,
    nextWhole: second.total_ms,
    nextBytes: second.bytes,
    restore,
    answer,
  };
}

/** The template micro in this process. */
class NodeGuest {
  #shown = '';
  #look = () => {};

  private constructor(readonly machine: Machine) {
    machine.onConsole((data, source) => {
      if (source !== 'hvc') return;
      this.#shown += Buffer.from(data).toString('latin1');
      this.#look();
    });
  }

  static async create(megabytes: number): Promise<NodeGuest> {
    const [{ manifest, kernel, initrd }, core, translations] = await Promise.all([
      loadTemplate('micro'),
      loadCore(),
      loadTranslations(),
    ]);
    const { append } = manifest;
    return new NodeGuest(
      Machine.create(
        {
          memory: megabytes << 20,
          boot: { kind: 'linux', kernel, ...(initrd && { initrd }), append },
          core,
          shared: false,
          translations,
        },
        nodeHost(),
      ),
    );
  }

  type(line: string): void {
    this.machine.consoleInput(Buffer.from(`${line}\r`));
  }

  async shows(pattern: RegExp): Promise<void> {
    while (!pattern.test(plainText(this.#shown))) {
      if (this.machine.state.kind !== 'running') {
        throw new Error(`The guest is ${this.machine.state.kind}: ${this.#shown.slice(-300)}`);
      }
      await new Promise<void>((resolve) => {
        this.#look = resolve;
      });
    }
  }

  /** All pages of what it goes on from have come. */
  async settled(): Promise<void> {
    while (this.machine.arriving) await new Promise((done) => setTimeout(done, 20));
  }
}
