/**
 * The code in a RISC-V ELF file of any kind: executables, shared and relocatable ones. Relies on the
 * file's bytes, which may be hostile; guarantees that every part lies inside the file. What says that
 * it lies elsewhere counts as cut off at the end (ELF specification, 'Sections', 'Program Header').
 */
import { openElf } from '../machine/loader/elf.ts';

export interface CodePart {
  /** For people: `section .text`, or `segment` in files without sections. */
  readonly title: string;
  readonly address: bigint;
  readonly data: Uint8Array;
}

const SHT_NOBITS = 8;
const SHF_EXECINSTR = 4n;
const PT_LOAD = 1;
const PF_X = 1;
const SHN_XINDEX = 0xffff;
const SECTION_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const LONGEST_NAME = 256;

/** The executable sections in the file's order; its executable segments where it has none. */
export function readElfCode(file: Uint8Array, name: string): readonly CodePart[] {
  const view = openElf(file, name);
  const sections = executableSections(view, file);
  return sections.length > 0 ? sections : executableSegments(view, file);
}

function executableSections(view: DataView, file: Uint8Array): CodePart[] {
  const headers = rows(view, 40, view.getUint16(58, true), SECTION_HEADER_BYTES);
  const first = headers(0);
  if (first === undefined) return [];
  // Counts that do not fit the file's header are in the first section's ('ELF Header', e_shnum).
  const count = view.getUint16(60, true) || offset(view, first + 32);
  const index = view.getUint16(62, true);
  const strings = headers(index === SHN_XINDEX ? view.getUint32(first + 40, true) : index);
  const parts: CodePart[] = [];
  for (let i = 0; i < count; i++) {
    const at = headers(i);
    if (at === undefined) break;
    if (view.getUint32(at + 4, true) === SHT_NOBITS) continue;
    if ((view.getBigUint64(at + 8, true) & SHF_EXECINSTR) === 0n) continue;
    const data = range(view, file, at + 24);
    if (data.length === 0) continue;
    const called =
      strings === undefined ? '' : text(range(view, file, strings + 24), view.getUint32(at, true));
    const address = view.getBigUint64(at + 16, true);
    parts.push({ title: `section ${called}`.trimEnd(), address, data });
  }
  return parts;
}

function executableSegments(view: DataView, file: Uint8Array): CodePart[] {
  const headers = rows(view, 32, view.getUint16(54, true), PROGRAM_HEADER_BYTES);
  const parts: CodePart[] = [];
  for (let i = 0; i < view.getUint16(56, true); i++) {
    const at = headers(i);
    if (at === undefined) break;
    if (view.getUint32(at, true) !== PT_LOAD || !(view.getUint32(at + 4, true) & PF_X)) continue;
    const start = offset(view, at + 8);
    const data = file.subarray(start, start + offset(view, at + 32));
    const address = view.getBigUint64(at + 16, true);
    if (data.length > 0) parts.push({ title: 'segment', address, data });
  }
  return parts;
}

/** Where each row of a table of headers is; undefined outside the file. `field` says its start. */
function rows(view: DataView, field: number, size: number, least: number) {
  const table = offset(view, field);
  return (index: number): number | undefined => {
    const at = table + index * size;
    return table > 0 && size >= least && at + least <= view.byteLength ? at : undefined;
  };
}

/** What an offset and a size, one behind the other, span. */
function range(view: DataView, file: Uint8Array, at: number): Uint8Array {
  const start = offset(view, at);
  return file.subarray(start, start + offset(view, at + 8));
}

/** A number of bytes, at most the file's. */
function offset(view: DataView, at: number): number {
  const value = view.getBigUint64(at, true);
  return value > BigInt(view.byteLength) ? view.byteLength : Number(value);
}

/** A name from a table of strings; what a terminal would obey is left out. */
function text(strings: Uint8Array, at: number): string {
  const name = strings.subarray(at, at + LONGEST_NAME);
  const end = name.indexOf(0);
  return Buffer.from(name.subarray(0, end < 0 ? name.length : end))
    .toString('latin1')
    .replace(/[^\x20-\x7e]/g, '');
}
