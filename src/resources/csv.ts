/**
 * Tables as CSV (RFC 4180). Guarantees that whatever is in a cell stays in it, and that a
 * spreadsheet takes no text for a formula: names may come from anybody.
 */

export type Cell = string | number | null | undefined;

const FORMULA = /^[=+\-@\t\r]/;

export function toCsv(header: readonly string[], rows: Iterable<readonly Cell[]>): string {
  const lines = [header, ...rows].map((cells) => cells.map(cellText).join(','));
  return `${lines.join('\r\n')}\r\n`;
}

function cellText(cell: Cell): string {
  if (cell === null || cell === undefined) return '';
  if (typeof cell === 'number') return Number.isFinite(cell) ? String(cell) : '';
  const text = FORMULA.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
