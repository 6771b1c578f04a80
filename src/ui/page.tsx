/** What the page shows, as a script of its own: VMs start without waiting for it. */
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { listenToKeys } from './keys.ts';
import { listenToDrops } from './page-drops.ts';

export function show(root: HTMLElement): void {
  listenToKeys();
  listenToDrops();
  createRoot(root).render(<App />);
}
