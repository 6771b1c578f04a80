/**
 * Alerts as notifications of the system, where the person has allowed them: only for what happens
 * while nobody looks at the page. Asking for the permission is a click in the host's view.
 */
import { createStore } from 'zustand/vanilla';
import { telemetry } from './service.ts';
import { readStored, writeStored } from './stored.ts';

const KEY = 'notifications';

export const notifications = createStore<{ wanted: boolean }>(() => ({
  wanted: readStored(KEY) === true,
}));

export type NotificationState = 'on' | 'off' | 'denied' | 'missing';

export function notificationState(wanted: boolean): NotificationState {
  if (typeof Notification !== 'function') return 'missing';
  if (Notification.permission === 'denied') return 'denied';
  return wanted && Notification.permission === 'granted' ? 'on' : 'off';
}

export async function setNotifications(on: boolean): Promise<void> {
  const wanted = on && (await Notification.requestPermission()) === 'granted';
  writeStored(KEY, wanted);
  notifications.setState({ wanted });
}

/** From now on. */
export function notifyOfAlerts(): void {
  telemetry.onAlerts((raised) => {
    const { wanted } = notifications.getState();
    if (!document.hidden || notificationState(wanted) !== 'on') return;
    for (const { name, rule, text, vm } of raised) {
      try {
        // One for each machine and kind: a newer one takes its place.
        new Notification(`${name}: ${rule.title}`, { body: text, tag: `${vm} ${rule.kind}` });
      } catch {
        // Some phones have the permission and not the constructor.
      }
    }
  });
}
