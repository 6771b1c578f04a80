/** Whether the page is dark now: the person's choice, otherwise the system's. */
import { getUi, useUi } from './store.ts';

const systemDark = matchMedia('(prefers-color-scheme: dark)');

export function isDark(): boolean {
  const { theme } = getUi();
  return theme === 'system' ? systemDark.matches : theme === 'dark';
}

/** Calls `changed` when the answer may be another; returns how to stop. */
export function onThemeChange(changed: () => void): () => void {
  systemDark.addEventListener('change', changed);
  const unsubscribe = useUi.subscribe((now, before) => {
    if (now.theme !== before.theme) changed();
  });
  return () => {
    systemDark.removeEventListener('change', changed);
    unsubscribe();
  };
}
