/** The page's entry: starts the VMs that the address asks for, then shows them. */
import { missingFeatures } from '../hypervisor/features.ts';
import { formerLayout, keepAddress, reopen } from './address.ts';
import { loadCatalogue } from './boot.ts';
import { prepareServiceWorker } from './service-worker.ts';
import { fleet } from './services.ts';
import './styles/tokens.css';
import './styles/base.css';
import './styles/layout.css';
import './styles/console.css';
import './styles/overlays.css';
import './styles/shell.css';

/** How long the page may be blank for the sake of a VM that boots, in milliseconds. */
const HEAD_START_MS = 200;

/** When VMs of storage are taken up on a page whose address boots others, in milliseconds. */
const RECALL_AFTER_MS = 2000;

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no element with the id “root”.');

globalThis.addEventListener('beforeunload', (event) => {
  if (fleet.losesWork) event.preventDefault();
});

const page = import('./page.tsx');
const before = formerLayout();
keepAddress();
const prepared = prepareServiceWorker();
// Without isolation the page may be about to reload: nothing is shown before that is known.
if (!globalThis.crossOriginIsolated) await prepared;
const boots = new URLSearchParams(location.search).has('boot') && missingFeatures().length === 0;
const ready = boots ? fleet.expectVm() : undefined;
const downloads = loadCatalogue();
const { show } = await page;
// The first drawing takes the thread for long: what a boot waits for is under way before it.
if (ready)
  await Promise.race([
    Promise.all([ready, downloads]),
    new Promise((resolve) => setTimeout(resolve, HEAD_START_MS)),
  ]);
show(root);
// What storage has comes after what the address asked for: opening it takes some of the processor.
setTimeout(() => void fleet.recall().then(() => reopen(before)), boots ? RECALL_AFTER_MS : 0);
