/** Figures and states in words. */
import type { VmStatus, VmView } from '../hypervisor/vm.ts';

export const STATUS_WORD: Record<VmStatus | 'silent', string> = {
  downloading: 'Downloading',
  starting: 'Starting',
  booting: 'Booting',
  running: 'Running',
  paused: 'Paused',
  off: 'Off',
  crashed: 'Crashed',
  failed: 'Failed',
  silent: 'Not answering',
};

export function statusWord(vm: Pick<VmView, 'status' | 'silent'>): string {
  return STATUS_WORD[vm.silent ? 'silent' : vm.status];
}

/** `0:07`, `12:34`, `3:04:05`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (value: number) => String(value).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0
    ? `${hours}:${two(minutes)}:${two(whole % 60)}`
    : `${minutes}:${two(whole % 60)}`;
}

export function formatShare(share: number): string {
  const percent = share * 100;
  return percent > 0 && percent < 1 ? '<1%' : `${Math.round(percent)}%`;
}

/** Sizes of downloads and of what is stored: decimal. */
export function formatBytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(bytes >= 1e10 ? 1 : 2)} GB`;
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.round(bytes / 1000)} kB`;
}

/** Today by the time, earlier with the date. */
export function formatWhen(time: number, now = Date.now()): string {
  const date = new Date(time);
  const today = date.toDateString() === new Date(now).toDateString();
  return today
    ? date.toLocaleTimeString(undefined, { timeStyle: 'medium' })
    : date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}
