/**
 * A template's snapshot as a machine takes it: its pages come while the guest runs. Relies on whoever
 * loads pieces to verify and unpack them; guarantees that what does not fit the index is refused, and
 * that no piece is loaded twice at the same time.
 */
import { PAGE_SIZE } from '../../core/layout.ts';
import { UserError } from '../errors.ts';
import { decodeSaved } from './encode.ts';
import type { LazySource } from './pager.ts';
import type { PageRun } from './snapshot.ts';
import { eachPage, type Piece, pieceBytes, type SnapshotIndex } from './template-index.ts';

/** Pieces that are on their way while one is put into RAM. */
const AHEAD = 4;

/** Gives the contents of piece number `piece`, verified and unpacked. */
export type LoadPiece = (piece: number) => Promise<Uint8Array<ArrayBuffer>>;

/** A template's snapshot for a machine, whose pages come while it runs. */
export function templateSource(
  index: SnapshotIndex,
  state: Uint8Array<ArrayBuffer>,
  load: LoadPiece,
): LazySource {
  const { pieces, memory, token } = index;
  const pieceOf = new Map<number, number>();
  const held: number[] = [];
  for (const [number, { pages }] of pieces.entries()) {
    for (const page of eachPage(pages)) {
      pieceOf.set(page, number);
      held.push(page);
    }
  }
  /** Pieces that are on their way, and those that have been handed out. */
  const loading = new Map<number, Promise<PageRun[]>>();
  const given = new Set<number>();
  const begin = (number: number): Promise<PageRun[]> => {
    let promise = loading.get(number);
    if (promise === undefined) {
      promise = load(number).then((bytes) => cut(pieces[number]!, bytes));
      loading.set(number, promise);
      // It may be asked for again. Who waits for it meets the failure.
      promise.catch(() => loading.delete(number));
    }
    return promise;
  };
  const take = async (number: number): Promise<PageRun[]> => {
    const runs = await begin(number);
    given.add(number);
    loading.delete(number);
    return runs;
  };
  return {
    image: { memory, token, state: decodeSaved(state) },
    held: Uint32Array.from(held),
    async *pages() {
      for (let next = 0; next < pieces.length; next++) {
        if (given.has(next)) continue;
        for (let one = next; one < Math.min(next + AHEAD, pieces.length); one++) {
          if (!given.has(one)) begin(one);
        }
        // Whoever needs a page of it meanwhile gets it from here.
        yield* await begin(next);
        given.add(next);
        loading.delete(next);
      }
    },
    async fetch(pages) {
      const numbers = new Set<number>();
      for (const page of pages) {
        const number = pieceOf.get(page);
        if (number !== undefined) numbers.add(number);
      }
      return (await Promise.all([...numbers].map(take))).flat();
    },
  };
}

/** The runs of a piece, each with its bytes. */
function cut(piece: Piece, bytes: Uint8Array<ArrayBuffer>): PageRun[] {
  if (bytes.length !== pieceBytes(piece)) {
    throw new UserError(`A piece of the template's snapshot has ${bytes.length} bytes: too few.`);
  }
  const runs: PageRun[] = [];
  let at = 0;
  for (let i = 0; i < piece.pages.length; i += 2) {
    const length = piece.pages[i + 1]! * PAGE_SIZE;
    runs.push({ first: piece.pages[i]!, bytes: bytes.subarray(at, at + length) });
    at += length;
  }
  return runs;
}
