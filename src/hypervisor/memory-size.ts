/** Sizes of memory as people type them: `128M`, `1.5 GiB`, `256 MB`; a bare number means MiB. */

export const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** The largest guest RAM that a machine takes, in bytes. */
export const MEMORY_MAXIMUM = 2 * GIB;

/** Bytes, or undefined when the text is no size. */
export function parseMemorySize(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmg])?(?:i?b)?\s*$/i.exec(text);
  if (match === null) return undefined;
  const unit = { k: 1024, m: MIB, g: GIB }[(match[2] ?? 'm').toLowerCase()] ?? MIB;
  const bytes = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined;
}

/** `128 MB`, `1.5 GB`: binary units under the names that people use. */
export function formatMemorySize(bytes: number): string {
  if (bytes >= GIB) return `${trim(bytes / GIB)} GB`;
  if (bytes >= MIB) return `${bytes >= 100 * MIB ? Math.round(bytes / MIB) : trim(bytes / MIB)} MB`;
  return `${Math.round(bytes / 1024)} KB`;
}

function trim(value: number): string {
  return value.toFixed(1).replace(/\.0$/, '');
}
