/**
 * The snapshot that a template starts from, as files: an index, the machine's state, and RAM in
 * pieces, each compressed by gzip and named by its SHA-256. Pieces are in the order in which a guest
 * touched their pages when the snapshot was made. An index comes from outside: it is taken in through
 * this schema, and what is in it is in order.
 */
import * as v from 'valibot';
import { excerpt, UserError } from '../errors.ts';

const PAGE = 4096;
/** Pages of the largest RAM: 2 GB. */
const PAGES_MAX = 1 << 19;
/** Pages of a piece. */
export const PIECE_PAGES_MAX = 256;
/** More than this is no index. */
const INDEX_MAX = 16 << 20;

const Count = v.pipe(v.number(), v.integer(), v.minValue(0));
const Sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'is no SHA-256 in hexadecimal'));

/** A file `SHA256.gz` beside the index. */
const StoredSchema = v.strictObject({
  sha256: Sha256,
  /** Bytes as stored. */
  size: v.pipe(Count, v.minValue(1), v.maxValue(64 << 20)),
});
export type Stored = v.InferOutput<typeof StoredSchema>;

const PieceSchema = v.strictObject({
  ...StoredSchema.entries,
  /** Runs of pages, one behind the other: the first page, how many, the next run's first, … */
  pages: v.pipe(v.array(v.pipe(Count, v.maxValue(PAGES_MAX))), v.minLength(2), v.maxLength(512)),
});
export type Piece = v.InferOutput<typeof PieceSchema>;

const IndexSchema = v.strictObject({
  format: v.literal(1),
  token: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, 'is no token')),
  /** Bytes of RAM. */
  memory: v.pipe(Count, v.minValue(PAGE), v.maxValue(PAGES_MAX * PAGE)),
  /** The machine's state, and its bytes when unpacked. */
  state: v.strictObject({ ...StoredSchema.entries, bytes: v.pipe(Count, v.maxValue(16 << 20)) }),
  pieces: v.pipe(v.array(PieceSchema), v.maxLength(1 << 14)),
  /** How many of the pieces hold what a guest touches until it can be used. */
  first: Count,
});
export type SnapshotIndex = v.InferOutput<typeof IndexSchema>;

/** Reads an index from its text; a UserError says in a sentence what is wrong. */
export function parseSnapshotIndex(text: string, name: string): SnapshotIndex {
  const refuse = (what: string) =>
    new UserError(`${name} is not the index of a template's snapshot: ${what}.`);
  if (text.length > INDEX_MAX) throw refuse('it is too long');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw refuse('it is not JSON');
  }
  const result = v.safeParse(IndexSchema, json);
  if (!result.success) throw refuse(excerpt(result.issues[0].message));
  const index = result.output;
  const seen = new Uint8Array(index.memory / PAGE);
  for (const { pages } of index.pieces) {
    if (pages.length % 2 !== 0 || pagesOf(pages) > PIECE_PAGES_MAX) throw refuse('a piece is odd');
    for (const page of eachPage(pages)) {
      if (page >= seen.length) throw refuse('a page is beyond the end of RAM');
      if (seen[page] === 1) throw refuse('a page is there twice');
      seen[page] = 1;
    }
  }
  return index;
}

/** Name of a stored file, relative to the index. */
export function storedName({ sha256 }: Stored): string {
  return `${sha256}.gz`;
}

/** Bytes of a piece when unpacked. */
export function pieceBytes({ pages }: Piece): number {
  return pagesOf(pages) * PAGE;
}

function pagesOf(runs: readonly number[]): number {
  let count = 0;
  for (let i = 1; i < runs.length; i += 2) count += runs[i]!;
  return count;
}

/** The pages of runs, in order. */
export function* eachPage(runs: readonly number[]): Generator<number> {
  for (let i = 0; i < runs.length; i += 2) {
    for (let page = runs[i]!; page < runs[i]! + runs[i + 1]!; page++) yield page;
  }
}
