/**
 * Snapshots with real guests in the browser: taken while the guest works, gone back to, branched,
 * cloned, sent to a file and into another browser; and what is left when the page is loaded
 * anew, when its tab goes away in the middle, and in a second tab.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, expect, type JSHandle, type Page, test } from '@playwright/test';
import type { Fleet } from '../src/hypervisor/fleet.ts';
import { which } from '../tools/lib/shell.mjs';
import { exportFile, importFile } from './support/files.ts';
import { create, fleetOf, storageReady, take } from './support/fleet.ts';
import {
  boot,
  expectOutput,
  expectShell,
  openVm,
  shownState,
  showVm,
  typeLine,
} from './support/page.ts';

/** The one VM that an address boots, with a disk of its own. */
const DISK = 1 << 20;

/** Counts in each of many places for ever; there is /tmp/lost when one is not what it must be. */
const COUNTER =
  'awk \'BEGIN { for (;;) { n++; for (i = 0; i < 20000; i++) { if (n > 1 && a[i] != n - 1) print "lost" >"/tmp/lost"; a[i] = n }; print n >"/tmp/count"; close("/tmp/count") } }\' &';

/** Ends when the counter is beyond where it was, which is then in /tmp/passed; its file is empty at times. */
const ADVANCE =
  'p=; until [ "$p" ]; do p=$(cat /tmp/count 2>/dev/null); done; ' +
  'until [ "$(cat /tmp/count)" -gt $p ] 2>/dev/null; do usleep 20000; done; echo $p >/tmp/passed';

async function firstId(fleet: JSHandle<Fleet>): Promise<string> {
  return fleet.evaluate(({ store }) => store.getState().vms[0]?.id ?? '');
}

/** The view of a VM. */
function view(fleet: JSHandle<Fleet>, id: string) {
  return fleet.evaluate((fleet, id) => {
    const { status, recovery, reason, current, name } = fleet.get(id)?.view ?? {};
    return { status, recovery, reason, current, name };
  }, id);
}

/** Goes back to a snapshot; returns the milliseconds until the guest runs. */
function restore(fleet: JSHandle<Fleet>, id: string, snapshot: string) {
  return fleet.evaluate(
    async (fleet, { id, snapshot }) => {
      const from = performance.now();
      await fleet.get(id)?.restore(snapshot);
      return performance.now() - from;
    },
    { id, snapshot },
  );
}

/** Makes a VM with a disk that lasts, and shows its console. */
async function bootKept(page: Page): Promise<{ fleet: JSHandle<Fleet>; id: string }> {
  await page.goto('./');
  const fleet = await fleetOf(page);
  const id = await create(fleet, [{ size: DISK }]);
  await showVm(page, id);
  return { fleet, id };
}

test('a guest at work is snapshotted, gone back to, branched and cloned; its disk goes along', async ({
  page,
}) => {
  const { fleet, id } = await bootKept(page);
  await typeLine(page, `X=one; echo one | dd of=/dev/vda conv=fsync 2>/dev/null; ${COUNTER}`);
  await typeLine(page, 'sleep 2; cat /tmp/count; echo began');
  await expectOutput(page, /^began$/m);
  const first = await take(fleet, id, 'first');
  await typeLine(page, 'X=two; echo two | dd of=/dev/vda conv=fsync 2>/dev/null; echo changed');
  await expectOutput(page, /^changed$/m);
  const second = await take(fleet, id, 'second');
  console.log(
    `    snapshots: the guest stood still ${first.pause_ms.toFixed(1)} and ${second.pause_ms.toFixed(1)} ms; ` +
      `whole after ${first.total_ms.toFixed(0)} and ${second.total_ms.toFixed(0)} ms; ${first.bytes} and ${second.bytes} bytes`,
  );
  expect(second.bytes).toBeLessThan(first.bytes / 2);

  const ms = await restore(fleet, id, first.id);
  console.log(`    restore of a running VM: ${ms.toFixed(0)} ms`);
  await typeLine(page, 'clear; echo X is $X; head -c 3 /dev/vda; echo; kill %1; wait; echo over');
  await expectOutput(page, /^X is one\none$/m);
  await expectOutput(page, /^over$/m);
  await expect.poll(() => view(fleet, id)).toMatchObject({ current: first.id });
  const branch = await take(fleet, id, 'branch');
  const parents = await fleet.evaluate(({ snapshots }) =>
    snapshots.getState().list.map(({ name, parent }) => [name, parent]),
  );
  expect(parents).toEqual([
    ['first', undefined],
    ['second', first.id],
    ['branch', first.id],
  ]);

  const [clone] = await fleet.evaluate(
    (fleet, from) => fleet.clone({ from, names: ['copy'] }),
    second.id,
  );
  await showVm(page, clone ?? '');
  await typeLine(page, 'clear; echo X is $X; head -c 3 /dev/vda; echo; hostname');
  await expectOutput(page, /^X is two\ntwo\ncopy$/m);
  // What the clone writes is its own.
  await typeLine(page, 'clear; echo new | dd of=/dev/vda conv=fsync; cat /tmp/lost || echo sure');
  await expectOutput(page, /^sure$/m);
  await showVm(page, id);
  await typeLine(page, 'clear; head -c 3 /dev/vda; echo .');
  await expectOutput(page, /^one\n?\.$/m);
  for (const one of [first.id, second.id, branch.id]) {
    await fleet.evaluate((fleet, one) => fleet.verifySnapshot(one), one);
  }
  await fleet.evaluate((fleet, one) => fleet.removeSnapshot(one), first.id);
  await restore(fleet, id, branch.id);
  await typeLine(page, 'clear; echo X is $X');
  await expectOutput(page, /^X is one$/m);
});

test('a reload, a tab that goes away and a guest that crashes leave the VM and its last state', async ({
  page,
  context,
}) => {
  const { fleet, id } = await bootKept(page);
  await typeLine(page, 'X=saved; echo disk | dd of=/dev/vda conv=fsync 2>/dev/null; echo done');
  await expectOutput(page, /^done$/m);
  await take(fleet, id, 'first');
  await typeLine(
    page,
    'X=lost; echo late | dd of=/dev/vda conv=fsync 2>/dev/null; echo done twice',
  );
  await expectOutput(page, /^done twice$/m);

  page.on('dialog', (dialog) => dialog.accept());
  await page.reload();
  let again = await fleetOf(page);
  await storageReady(again);
  const kept = await firstId(again);
  const { recovery, status, reason } = await view(again, kept);
  expect([status, reason]).toEqual(['off', 'It was cut off when its page ended.']);
  const ms = await restore(again, kept, recovery ?? '');
  console.log(`    restore after a reload: ${ms.toFixed(0)} ms`);
  await showVm(page, kept);
  await typeLine(page, 'clear; echo X is $X; head -c 4 /dev/vda; echo');
  await expectOutput(page, /^X is saved\ndisk$/m);

  // The guest crashes.
  await typeLine(page, 'echo c >/proc/sysrq-trigger');
  await expect(shownState(page)).toHaveText('Crashed');
  await expect.poll(() => view(again, kept)).toMatchObject({ recovery });
  await restore(again, kept, recovery ?? '');
  await expect(shownState(page)).toHaveText('Running');

  // The tab goes away in the middle of a capture.
  await again.evaluate((fleet, id) => {
    void fleet.get(id)?.takeSnapshot({ name: 'half' });
  }, kept);
  await page.close({ runBeforeUnload: false });
  const other = await context.newPage();
  await other.goto('./');
  again = await fleetOf(other);
  await storageReady(again);
  const names = () =>
    again.evaluate(({ snapshots }) => snapshots.getState().list.map(({ name }) => name));
  expect((await names())[0]).toBe('first');
  const last = (await view(again, kept)).recovery;
  await restore(again, kept, last ?? '');
  await showVm(other, kept);
  await typeLine(other, 'clear; echo X is $X; head -c 4 /dev/vda; echo');
  await expectOutput(other, /^X is saved\ndisk$/m);

  // A second tab says that the first one has them, and works without.
  const second = await context.newPage();
  await second.goto('./?boot=micro');
  await expectShell(second);
  const third = await fleetOf(second);
  await expect
    .poll(() => third.evaluate(({ snapshots }) => snapshots.getState().storage))
    .toMatchObject({ kind: 'unavailable', message: /open in another tab/ });
  expect(await third.evaluate(({ store }) => store.getState().vms.length)).toBe(1);
  await take(again, kept, 'the first tab goes on');
  expect((await names()).at(-1)).toBe('the first tab goes on');
});

async function elsewhere(browser: Browser): Promise<{ page: Page; fleet: JSHandle<Fleet> }> {
  const page = await (await browser.newContext()).newPage();
  await page.goto('./');
  return { page, fleet: await fleetOf(page) };
}

test('a VM goes out as a file, which the command line verifies, and into another browser', async ({
  page,
  browser,
}) => {
  const folder = mkdtempSync(join(tmpdir(), 'tabvisor-e2e-'));
  try {
    const { fleet, id } = await bootKept(page);
    await typeLine(
      page,
      'echo hello >/tmp/greeting; echo disk | dd of=/dev/vda conv=fsync; echo done',
    );
    await expectOutput(page, /^done$/m);
    const first = join(folder, 'first.tabvm');
    await exportFile(fleet, id, first);

    const verified = execFileSync('node', ['bin/tabvisor', 'snapshot', 'verify', first]);
    expect(verified.toString()).toContain('is whole');

    const other = await elsewhere(browser);
    const imported = await importFile(other.page, other.fleet, first);
    await other.fleet.evaluate((fleet, id) => fleet.get(id)?.start(), imported);
    await showVm(other.page, imported);
    await typeLine(other.page, 'clear; cat /tmp/greeting; head -c 4 /dev/vda; echo');
    await expectOutput(other.page, /^hello\ndisk$/m);

    const second = join(folder, 'second.tabvm');
    writeFileSync(second, Buffer.from('no machine at all'));
    await expect(importFile(other.page, other.fleet, second)).rejects.toThrow(
      /The .tabvm file is damaged: it does not begin like one\./,
    );
    await other.page.context().close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a VM at work moves to the command line, and from there back into a page', async ({
  page,
  browser,
}) => {
  const folder = mkdtempSync(join(tmpdir(), 'tabvisor-e2e-'));
  const tabvisor = (...words: string[]) =>
    execFileSync('node', ['bin/tabvisor', ...words], { encoding: 'utf8' });
  try {
    await page.goto('./');
    const fleet = await fleetOf(page);
    // With a disk it would boot its kernel, and such a guest takes no commands.
    const id = await create(fleet, []);
    await showVm(page, id);
    await typeLine(page, `X=page; echo page >/tmp/file; ${COUNTER} ${ADVANCE}; echo began`);
    await expectOutput(page, /^began$/m);
    const out = join(folder, 'out.tabvm');
    await exportFile(fleet, id, out);

    const back = join(folder, 'back.tabvm');
    const work = `${ADVANCE}; cat /tmp/lost 2>/dev/null; cat /tmp/file; echo line >/tmp/file`;
    const printed = tabvisor('run', '--snapshot', out, '--exec', work, '--save', back);
    expect(printed).toBe('page\n');
    expect(tabvisor('snapshot', 'verify', back)).toContain('is whole');

    const other = await elsewhere(browser);
    const imported = await importFile(other.page, other.fleet, back);
    await other.fleet.evaluate((fleet, id) => fleet.get(id)?.start(), imported);
    // The command line keeps no screen: there is no prompt until somebody types.
    await openVm(other.page, imported);
    await expect(shownState(other.page)).toHaveText('Running');
    await typeLine(
      other.page,
      `clear; q=$(cat /tmp/passed); ${ADVANCE}; echo X is $X; cat /tmp/file; echo over`,
    );
    await expectOutput(other.page, /^X is page\nline\nover$/m);
    await typeLine(
      other.page,
      'clear; [ $p -ge $q ] && [ $q -gt 0 ] && echo later; kill %1; wait; cat /tmp/lost || echo sure',
    );
    await expectOutput(other.page, /^later$/m);
    await expectOutput(other.page, /^sure$/m);
    await other.page.context().close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a disk goes in and out as a raw image, in which e2fsck and QEMU find nothing wrong', async ({
  page,
}) => {
  const folder = mkdtempSync(join(tmpdir(), 'tabvisor-e2e-'));
  const host = (program: string, ...words: string[]) =>
    execFileSync(which(program) ?? program, words, { encoding: 'utf8' });
  try {
    const raw = join(folder, 'ext4.img');
    writeFileSync(raw, '');
    truncateSync(raw, 24 << 20);
    host('mke2fs', '-q', '-t', 'ext4', raw);
    await page.goto('./');
    const fleet = await fleetOf(page);
    const disk = await importFile(page, fleet, raw, 'importDisk');
    const untouched = join(folder, 'untouched.img');
    await exportFile(fleet, disk, untouched, 'exportDisk');
    host('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', raw, untouched);

    const id = await create(fleet, [{ id: disk }]);
    await showVm(page, id);
    await typeLine(
      page,
      'modprobe ext4; mount /dev/vda /mnt && for i in $(seq 200); do echo $i >/mnt/$i; done; ' +
        'rm /mnt/1??; umount /mnt && poweroff',
    );
    await expect(shownState(page)).toHaveText('Off');
    const written = join(folder, 'written.img');
    await expect(() => exportFile(fleet, disk, written, 'exportDisk')).toPass();
    expect(JSON.parse(host('qemu-img', 'info', '--output=json', written))).toMatchObject({
      format: 'raw',
      'virtual-size': 24 << 20,
    });
    host('e2fsck', '-fn', written);
    expect(host('debugfs', '-R', 'cat /200', written)).toBe('200\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('an address whose VM was never kept opens no storage', async ({ page }) => {
  await boot(page);
  const fleet = await fleetOf(page);
  // Longer than the page waits before it looks for kept VMs.
  await page.waitForTimeout(4000);
  expect(await fleet.evaluate(({ snapshots }) => snapshots.getState().storage.kind)).toBe('closed');
});
