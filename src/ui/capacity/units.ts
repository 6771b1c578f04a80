/** Figures of charts and tables in words. */
import type { MetricUnit } from '../../hypervisor/metrics.ts';
import { size } from '../../resources/admission.ts';

export function formatValue(value: number, unit: MetricUnit): string {
  switch (unit) {
    case 'share':
      return `${Math.round(value * 100)}%`;
    case 'bytes':
      return formatSize(value);
    case 'bytes per second':
      return `${formatSize(value)}/s`;
    case 'per second':
      return `${compact(value)}/s`;
    case 'milliseconds':
      return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
  }
}

/** `0`, `12 KB`, `3.4 MB`, `1.5 GB`. */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return bytes === 0 ? '0' : `${Math.round(bytes)} B`;
  if (bytes < 1024 ** 2) return `${Math.round(bytes / 1024)} KB`;
  if (bytes < 10 * 1024 ** 2) return `${(bytes / 1024 ** 2).toFixed(1)} MB`;
  return size(bytes);
}

/** `0`, `12.5`, `340`, `1.2k`, `15M`. */
export function compact(value: number): string {
  const steps: [number, string][] = [
    [1e12, 'T'],
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ];
  for (const [step, letter] of steps) {
    if (value >= step) return `${(value / step).toFixed(value < 10 * step ? 1 : 0)}${letter}`;
  }
  return value === 0 ? '0' : value < 10 ? value.toFixed(1) : String(Math.round(value));
}

/** A span of time as people say it: `12 s`, `5 min`, `3 h`, `2 days`. */
export function formatSpan(seconds: number): string {
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 36 * 3600) return `${(seconds / 3600).toFixed(1).replace(/\.0$/, '')} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

export function formatTime(ms: number): string {
  return new Date(ms).toLocaleTimeString([], {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  });
}
