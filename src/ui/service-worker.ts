/**
 * Registers the page's service worker: isolation headers where the host sends none, and the page
 * itself for offline use. On a host without the headers the first visit reloads once, before any
 * VM exists.
 */
const RELOADED = 'tabvisor.reloaded-for-isolation';

/** Resolves when the page may go on; never, when it reloads instead. */
export async function prepareServiceWorker(): Promise<void> {
  if (!('serviceWorker' in navigator) || import.meta.env.DEV) return;
  try {
    const registration = await navigator.serviceWorker.register('service-worker.js');
    const ready = navigator.serviceWorker.ready.then((active) => {
      active.active?.postMessage('keep-for-offline');
    });
    if (globalThis.crossOriginIsolated || sessionStorage.getItem(RELOADED) !== null) return;
    // Only a worker that can still come up is worth the reload.
    if (registration.installing ?? registration.waiting ?? registration.active) {
      await ready;
      sessionStorage.setItem(RELOADED, 'yes');
      location.reload();
      await new Promise(() => {});
    }
  } catch {
    // Not allowed here: the page runs without, and says so where it matters.
  }
}
