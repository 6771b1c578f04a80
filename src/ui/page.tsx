/** What the page shows, as a script of its own: VMs start without waiting for it. */
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { listenToKeys } from './keys.ts';
import { listenToDrops } from './page-drops.ts';

/** When VMs that the address boots have had the network, in milliseconds. */
const DIALOGS_AFTER_MS = 3000;

export function show(root: HTMLElement): void {
  listenToKeys();
  listenToDrops();
  createRoot(root).render(<App />);
  // The first dialog comes up at once: its script is there by then.
  setTimeout(() => void import('./views/dialogs.tsx').catch(() => {}), DIALOGS_AFTER_MS);
}
