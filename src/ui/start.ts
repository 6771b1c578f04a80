/** Brings the page up: starts the VMs that the address asks for, then shows them. */
import { missingFeatures } from '../hypervisor/features.ts';
import { isPending } from '../hypervisor/vm-view.ts';
import { formerLayout, keepAddress, reopen } from './address.ts';
import { underWay } from './ahead.ts';
import { loadCatalogue } from './boot.ts';
import { prepareServiceWorker } from './service-worker.ts';
import { fleet } from './services.ts';

/** How long the page may be blank for the sake of a VM that boots, in milliseconds. */
const HEAD_START_MS = 200;

/** What can wait waits at most so long for the VMs that the address boots, in milliseconds. */
const BOOT_MS = 10_000;

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no element with the id “root”.');

globalThis.addEventListener('beforeunload', (event) => {
  if (fleet.losesWork) event.preventDefault();
});

const page = import('./page.tsx');
const before = formerLayout();
keepAddress();
// Without isolation the page may be about to reload: nothing is shown before that is known.
if (!globalThis.crossOriginIsolated) await prepareServiceWorker();
const boots = new URLSearchParams(location.search).has('boot') && missingFeatures().length === 0;
const ready = boots ? fleet.expectVm() : undefined;
const made = loadCatalogue();
const { show } = await page;
// The first drawing takes the thread for long: what a boot waits for is under way before it.
if (ready)
  await Promise.race([
    Promise.all([ready, made, underWay]),
    new Promise((resolve) => setTimeout(resolve, HEAD_START_MS)),
  ]);
show(root);
const lab = new URLSearchParams(location.search).get('lab');
if (lab !== null) void import('./labs.ts').then(({ openLabAddress }) => openLabAddress(lab));
// What storage has, and what is kept for offline, come after what the address asked for: both take
// some of the processor.
if (boots) await Promise.race([booted(), new Promise((resolve) => setTimeout(resolve, BOOT_MS))]);
void fleet.recall().then(() => reopen(before));
if (globalThis.crossOriginIsolated) void prepareServiceWorker();

/** Resolves when no VM is on its way to its prompt. */
async function booted(): Promise<void> {
  await made;
  const onItsWay = () =>
    fleet.all.some(({ view: { status } }) => isPending(status) || status === 'booting');
  if (!onItsWay()) return;
  await new Promise<void>((resolve) => {
    const stop = fleet.store.subscribe(() => {
      if (onItsWay()) return;
      stop();
      resolve();
    });
  });
}
