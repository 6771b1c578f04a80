/**
 * Figures as OpenMetrics text (OpenMetrics 1.0), which Prometheus and its kin read. Guarantees that
 * what is written parses: names are checked, whatever is in a label is escaped, and what is no number
 * is left out.
 */

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  /** With the unit as its last part, where it has one; without `_total`. */
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly unit?: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** The media type of the text. */
export const OPEN_METRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

export function toOpenMetrics(families: readonly Family[]): string {
  const lines: string[] = [];
  for (const { name, type, unit, help, samples } of families) {
    if (!NAME.test(name)) throw new Error(`“${name}” is no name of a metric.`);
    if (unit !== undefined && !name.endsWith(`_${unit}`)) {
      throw new Error(`The name “${name}” must end with its unit, ${unit}.`);
    }
    lines.push(`# TYPE ${name} ${type}`);
    if (unit !== undefined) lines.push(`# UNIT ${name} ${unit}`);
    lines.push(`# HELP ${name} ${escaped(help)}`);
    for (const { labels, value } of samples) {
      if (!Number.isFinite(value)) continue;
      lines.push(`${name}${type === 'counter' ? '_total' : ''}${labelText(labels)} ${value}`);
    }
  }
  return `${lines.map((line) => `${line}\n`).join('')}# EOF\n`;
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const parts = Object.entries(labels).map(([key, value]) => {
    if (!NAME.test(key)) throw new Error(`“${key}” is no name of a label.`);
    return `${key}="${escaped(value)}"`;
  });
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}
