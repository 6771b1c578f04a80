/**
 * The whole browser is killed at random moments of a guest that writes and fsyncs records on ext4, on
 * a disk in the browser's storage. After each time the page finds the VM again, its disk goes out as a
 * raw image in which e2fsck finds nothing wrong, and each record that the guest called durable is
 * there. `TABVISOR_KILLS` says how often; a few times unless given.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, type JSHandle, type Page, test } from '@playwright/test';
import type { Fleet } from '../src/hypervisor/fleet.ts';
import { killAll } from '../tests/load/browser.ts';
import { lookForRecords, makeExt4, writeRecords } from '../tests/storage/records.ts';
import { exportFile, importFile } from './support/files.ts';
import { fleetOf } from './support/fleet.ts';
import { showVm, typeLine } from './support/page.ts';

const KILLS = Number(process.env.TABVISOR_KILLS ?? 2);
/** Records after which the end may come, and time that may pass then, in milliseconds. */
const RECORDS_MAX = 40;
const DELAY_MAX = 60;
/** A round, on a busy machine. */
const ROUND_MS = 120_000;

/** Calls `onRecord` with each record that the guest of a VM says is durable, as soon as the page knows. */
async function watchRecords(
  page: Page,
  fleet: JSHandle<Fleet>,
  id: string,
  onRecord: (number: number) => void,
): Promise<void> {
  await page.exposeFunction('recordDurable', onRecord);
  await fleet.evaluate((fleet, id) => {
    const console = fleet.get(id)?.console;
    const tell: unknown = Reflect.get(globalThis, 'recordDurable');
    if (!console || typeof tell !== 'function') throw new Error('There is nothing to watch.');
    const receive = console.receive.bind(console);
    let rest = '';
    console.receive = (data) => {
      const lines = (rest + new TextDecoder().decode(data)).split('\r\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const number = /^durable (\d+)$/.exec(line)?.[1];
        if (number !== undefined) tell(Number(number));
      }
      return receive(data);
    };
  }, id);
}

/** The one VM that the page has kept, and its disk. */
function kept(fleet: JSHandle<Fleet>): Promise<{ id: string; disk: string } | undefined> {
  return fleet.evaluate((fleet) => {
    const [vm] = fleet.all;
    const [disk] = vm?.specification.disks ?? [];
    return vm && disk ? { id: vm.view.id, disk: disk.id } : undefined;
  });
}

test(`a browser that is killed ${KILLS} times loses nothing that its guest fsynced`, async ({
  playwright,
  launchOptions,
  baseURL,
}) => {
  test.setTimeout((KILLS + 1) * ROUND_MS);
  const folder = mkdtempSync(join(tmpdir(), 'tabvisor-killed-'));
  const profile = join(folder, 'profile');
  const raw = join(folder, 'raw');
  const durable: number[] = [];

  const open = async () => {
    const context = await playwright.chromium.launchPersistentContext(profile, {
      ...launchOptions,
      ...(baseURL === undefined ? {} : { baseURL }),
    });
    const page = context.pages()[0] ?? (await context.newPage());
    await page.goto('./');
    return { context, page, fleet: await fleetOf(page) };
  };

  /** Lets the guest write until the end comes. */
  const killedRound = async (
    { context, page, fleet }: Awaited<ReturnType<typeof open>>,
    id: string,
  ): Promise<number> => {
    const enough = Math.floor(Math.random() * RECORDS_MAX);
    let count = 0;
    let reach = () => {};
    const reached = new Promise<void>((resolve) => {
      reach = resolve;
    });
    await watchRecords(page, fleet, id, (number) => {
      count = number + 1;
      if (count > enough) reach();
    });
    await fleet.evaluate((fleet, id) => fleet.get(id)?.start(), id);
    await showVm(page, id);
    await typeLine(page, writeRecords(durable.length));
    await reached;
    await new Promise((done) => setTimeout(done, Math.random() * DELAY_MAX));
    const closed = new Promise((resolve) => context.on('close', resolve));
    killAll(profile);
    await closed;
    return count;
  };

  try {
    let now = await open();
    makeExt4(raw, 24);
    const disk = await importFile(now.page, now.fleet, raw, 'importDisk');
    await now.fleet.evaluate(async (fleet, disk) => {
      const [template] = await fleet.images.templates();
      if (!template) throw new Error('There is no template.');
      fleet.create({
        template,
        count: 1,
        disks: [{ kind: 'persistent', id: disk }],
        start: false,
      });
    }, disk);
    for (let round = 0; round < KILLS; round++) {
      const vm = await kept(now.fleet);
      durable.push(await killedRound(now, vm?.id ?? ''));
      now = await open();
      await expect.poll(() => kept(now.fleet)).toMatchObject({ disk });
      await exportFile(now.fleet, disk, raw, 'exportDisk');
      expect(lookForRecords(raw, durable, join(folder, 'files'))).toBe('');
      console.log(
        `    kill ${round + 1}: ${durable.at(-1)} records were durable, and all are there`,
      );
    }
    await now.context.close();
  } finally {
    killAll(profile);
    rmSync(folder, { recursive: true, force: true });
  }
});
