/**
 * A lab file's text, YAML or JSON (which is YAML), as a checked lab. Guarantees that a text of any
 * kind is answered soon, by a lab or by sentences with the lines that they are about: its size and
 * what it repeats by aliases are bounded.
 */
import { type Document, LineCounter, parseDocument, stringify } from 'yaml';
import { checkLab, type Lab } from '../../resources/lab.ts';

/** Characters of a lab file. */
export const LAB_FILE_MAXIMUM = 256 * 1024;
const ALIASES = 20;
/** Problems that are told at once. */
const TOLD = 12;

export type LabRead =
  | { readonly kind: 'lab'; readonly lab: Lab }
  | { readonly kind: 'problems'; readonly problems: readonly string[] };

export function readLab(text: string): LabRead {
  if (text.length > LAB_FILE_MAXIMUM) {
    return problems([`A lab file has at most ${LAB_FILE_MAXIMUM / 1024} KB; this one is longer.`]);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    const sentences = document.errors.map(({ message, pos }) => {
      return `Line ${lines.linePos(pos[0]).line}: ${message.replace(/\.?$/, '.')}`;
    });
    return problems(sentences);
  }
  let data: unknown;
  try {
    data = document.toJS({ maxAliasCount: ALIASES });
  } catch (error) {
    return problems([
      `The file repeats too much by aliases (${error instanceof Error ? error.message : error}). Write it out.`,
    ]);
  }
  const result = checkLab(data);
  if (result.kind === 'lab') return result;
  return problems(
    result.problems.map(({ path, text }) => {
      const offset = offsetOf(document, path);
      return offset === undefined ? text : `Line ${lines.linePos(offset).line}: ${text}`;
    }),
  );
}

export function writeLab(lab: Lab): string {
  return stringify(lab);
}

function problems(all: readonly string[]): LabRead {
  const more = all.length - TOLD;
  return {
    kind: 'problems',
    problems: more > 0 ? [...all.slice(0, TOLD), `And ${more} more.`] : all,
  };
}

/** Where in the text the nearest part of a path begins. */
function offsetOf(document: Document, path: readonly (string | number)[]): number | undefined {
  for (let length = path.length; length >= 0; length--) {
    const node: unknown =
      length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (typeof node !== 'object' || node === null || !('range' in node)) continue;
    const { range } = node;
    if (Array.isArray(range) && typeof range[0] === 'number') return range[0];
  }
  return undefined;
}
