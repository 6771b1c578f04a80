/** The page's entry. */
import { createRoot } from 'react-dom/client';
import { keepAddress } from './address.ts';
import { App } from './app.tsx';
import { loadCatalogue } from './boot.ts';
import { listenToKeys } from './keys.ts';
import { prepareServiceWorker } from './service-worker.ts';
import { fleet } from './services.ts';
import './styles/tokens.css';
import './styles/base.css';
import './styles/layout.css';
import './styles/console.css';
import './styles/overlays.css';

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no element with the id “root”.');

globalThis.addEventListener('beforeunload', (event) => {
  if (fleet.losesWork) event.preventDefault();
});

listenToKeys();
keepAddress();
const prepared = prepareServiceWorker();
// Without isolation the page may be about to reload: nothing is shown before that is known.
if (!globalThis.crossOriginIsolated) await prepared;
void loadCatalogue();
createRoot(root).render(<App />);
