/**
 * A page in the background: keeps its guests running as far as the browser allows, and logs what the
 * browser did. Chrome freezes pages that nobody looks at, unless they hold a lock, as this one does
 * while a machine runs; what freezes all the same is to the guests a pause (machine/clock.ts).
 */
import { isLive } from '../../hypervisor/vm.ts';
import { fleet } from '../services.ts';
import { formatSpan } from './units.ts';

const LOCK = 'tabvisor-guests-run';

let release: (() => void) | undefined;

function keepRunning(live: boolean): void {
  if (live === (release !== undefined)) return;
  if (!live) {
    release?.();
    release = undefined;
    return;
  }
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  // Shared: every tab may hold it.
  navigator.locks?.request(LOCK, { mode: 'shared' }, () => held).catch(() => {});
}

const running = () => fleet.store.getState().vms.some(({ status }) => isLive(status));

fleet.store.subscribe(() => keepRunning(running()));
keepRunning(running());

let frozenAt: number | undefined;

document.addEventListener('freeze', () => {
  frozenAt = Date.now();
});
document.addEventListener('resume', () => {
  if (frozenAt === undefined) return;
  const span = formatSpan((Date.now() - frozenAt) / 1000);
  frozenAt = undefined;
  fleet.events.add({
    kind: 'host',
    level: 'warning',
    text: `The browser froze this page for ${span}: its machines stood still and go on now.`,
  });
});
