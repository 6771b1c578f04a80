/** Sizes as people write them. */
import { MIB } from '../machine/memory-map.ts';

const UNITS: Record<string, number> = { k: 1024, m: MIB, g: 1024 * MIB };

/** Bytes of `256M`, `1.5G`, `512MiB`; a bare number means megabytes. */
export function bytesOf(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?$/i.exec(text.trim());
  return match ? Number(match[1]) * (UNITS[(match[2] ?? '').toLowerCase()] ?? MIB) : undefined;
}
