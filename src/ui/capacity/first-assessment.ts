/**
 * The first assessment of the host, by itself: what costs nothing (memory, storage) as soon as the
 * page has a moment, the speed only when no machine has had work for a while, so that it slows
 * nothing. Later ones are the person's.
 */
import type { HostAssessment } from '../../hypervisor/host-assessment.ts';
import { isPending } from '../../hypervisor/vm.ts';
import { fleet } from '../services.ts';
import { assess, host } from './service.ts';

/** The speed is measured when nothing has been going on for this long, in milliseconds. */
const QUIET_MS = 30_000;
const LOOK_MS = 5000;
const BUSY_SHARE = 0.05;

let first: Promise<void> | undefined;

/** The assessment that is known; the first one is made for it. */
export async function expectAssessment(): Promise<HostAssessment | undefined> {
  if (host.getState().assessment?.memory === undefined) {
    first ??= whenIdle().then(() => assess(false));
    await first;
  }
  if (host.getState().assessment?.speed === undefined) awaitQuiet();
  return host.getState().assessment;
}

function whenIdle(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof requestIdleCallback === 'function') {
      requestIdleCallback(() => resolve(), { timeout: 2000 });
    } else setTimeout(resolve, 200);
  });
}

let waiting = false;

function awaitQuiet(): void {
  if (waiting) return;
  waiting = true;
  let quietFor = 0;
  const timer = setInterval(() => {
    quietFor = quiet() ? quietFor + LOOK_MS : 0;
    if (host.getState().assessment?.speed !== undefined) clearInterval(timer);
    else if (quietFor >= QUIET_MS) {
      clearInterval(timer);
      void assess(true);
    }
  }, LOOK_MS);
}

function quiet(): boolean {
  return (
    !document.hidden &&
    fleet.store
      .getState()
      .vms.every(
        ({ figures, status }) =>
          !isPending(status) && status !== 'booting' && (figures?.busy ?? 0) < BUSY_SHARE,
      )
  );
}
