/**
 * The journal of a layer: which cluster is at which slot. Batches are appended, each with a checksum
 * over all of it, numbered within a generation; reading ends at the first that does not fit, so a
 * torn tail is cut. When much of a journal is outdated it is written anew, in the other of two files,
 * as one batch that holds everything: the newer file counts once that batch is whole.
 */
import { StorageError, type StorageFile, type StorageFolder } from '../files.ts';
import { checksum } from '../hash.ts';

export interface JournalEntry {
  readonly cluster: number;
  readonly slot: number;
  readonly sum: number;
}

/**
 * How much a journal held at one moment. A tail that is cut afterwards looks as one does that was
 * never finished: whoever needs what was there keeps the mark, apart from the journal.
 */
export interface JournalMark {
  readonly generation: number;
  /** Bytes. */
  readonly length: number;
  /** Checksum over the checksums of its batches. */
  readonly sum: number;
}

const MAGIC = 0x424a5654; // "TVJB"
const HEADER = 32;
const ENTRY = 12;
/** Entries in one batch at most: reading one needs bounded memory. */
const BATCH = 1 << 16;
const NAMES = ['journal-a', 'journal-b'] as const;
/** A journal is written anew when it is this many times as long as needed, and this long. */
const WASTE = 3;
const WASTE_MIN = 8 * BATCH;

export class Journal {
  #generation = 0;
  #sequence = 0;
  /** Bytes that are whole and flushed. */
  #length = 0;
  #sum = 0;
  #entries = 0;

  private constructor(
    private readonly files: readonly [StorageFile, StorageFile],
    private active: 0 | 1,
  ) {}

  static async open(folder: StorageFolder): Promise<Journal> {
    const a = await folder.open(NAMES[0], 'create');
    let b: StorageFile;
    try {
      b = await folder.open(NAMES[1], 'create');
    } catch (error) {
      a.close();
      throw error;
    }
    try {
      const generations = [generationOf(a), generationOf(b)] as const;
      const active = generations[1] > generations[0] ? 1 : 0;
      const journal = new Journal([a, b], active);
      journal.#generation = generations[active];
      journal.#find();
      return journal;
    } catch (error) {
      a.close();
      b.close();
      throw error;
    }
  }

  /** Appends entries and flushes them: when it returns they survive. */
  append(entries: readonly JournalEntry[]): void {
    if (this.#generation === 0) {
      this.rewrite(entries);
      return;
    }
    const file = this.files[this.active];
    let at = this.#length;
    let sequence = this.#sequence;
    let sum = this.#sum;
    for (let done = 0; done < entries.length; done += BATCH) {
      const part = entries.slice(done, done + BATCH);
      const bytes = encode(this.#generation, sequence++, 0, part);
      file.write(at, bytes);
      at += bytes.length;
      sum = withHeader(sum, bytes);
    }
    file.flush();
    this.#length = at;
    this.#sum = sum;
    this.#sequence = sequence;
    this.#entries += entries.length;
  }

  /** Whether most of what is in it is outdated, when `live` entries would do. */
  wasteful(live: number): boolean {
    return this.#entries > Math.max(WASTE_MIN, live * WASTE);
  }

  /** Writes the journal anew with these entries; a failure leaves the former one in force. */
  rewrite(entries: readonly JournalEntry[]): void {
    const target = this.active === 0 ? 1 : 0;
    const file = this.files[target];
    const generation = this.#generation + 1;
    const batches = Math.max(1, Math.ceil(entries.length / BATCH));
    let at = 0;
    let sum = 0;
    file.truncate(0);
    for (let sequence = 0; sequence < batches; sequence++) {
      const part = entries.slice(sequence * BATCH, (sequence + 1) * BATCH);
      const bytes = encode(generation, sequence, sequence === 0 ? batches : 0, part);
      file.write(at, bytes);
      at += bytes.length;
      sum = withHeader(sum, bytes);
    }
    file.flush();
    const former = this.files[this.active];
    this.active = target;
    this.#generation = generation;
    this.#sequence = batches;
    this.#length = at;
    this.#sum = sum;
    this.#entries = entries.length;
    try {
      former.truncate(0);
    } catch {
      // Its generation is outdated: that it takes space is all.
    }
  }

  /** What it holds now, durably. */
  get mark(): JournalMark {
    return { generation: this.#generation, length: this.#length, sum: this.#sum };
  }

  /** Whether all is there that was when it had this mark. It is read again: files rot while open. */
  holds(mark: JournalMark): boolean {
    // One that was written anew holds all that the former one did, and counts only when it is whole.
    if (this.#generation !== mark.generation) return this.#generation > mark.generation;
    let at = 0;
    let sum = 0;
    for (let sequence = 0; at < mark.length; sequence++) {
      const batch = read(this.files[this.active], at, this.#generation, sequence);
      if (batch === undefined) return false;
      at += HEADER + batch.count * ENTRY;
      sum = withHeader(sum, batch.header);
    }
    return at === mark.length && sum === mark.sum;
  }

  close(): void {
    for (const file of this.files) file.close();
  }

  /** Gives all entries, oldest first; later ones of a cluster stand for it. */
  replay(take: (entry: JournalEntry) => void): void {
    let at = 0;
    for (let sequence = 0; sequence < this.#sequence; sequence++) {
      const batch = read(this.files[this.active], at, this.#generation, sequence);
      if (batch === undefined) {
        throw new StorageError('damaged', 'A layer of a disk is damaged: its journal has a hole.');
      }
      for (let i = 0; i < batch.count; i++) {
        take({
          cluster: batch.entries.getUint32(i * ENTRY, true),
          slot: batch.entries.getUint32(i * ENTRY + 4, true),
          sum: batch.entries.getUint32(i * ENTRY + 8, true),
        });
      }
      at += HEADER + batch.count * ENTRY;
    }
  }

  /** Finds where the journal ends: what is torn does not belong to it. */
  #find(): void {
    if (this.#generation === 0) return;
    for (;;) {
      const file = this.files[this.active];
      const batch = read(file, this.#length, this.#generation, this.#sequence);
      if (batch === undefined) return;
      this.#length += HEADER + batch.count * ENTRY;
      this.#sum = withHeader(this.#sum, batch.header);
      this.#entries += batch.count;
      this.#sequence++;
    }
  }
}

function encode(
  generation: number,
  sequence: number,
  expected: number,
  entries: readonly JournalEntry[],
): Uint8Array {
  const bytes = new Uint8Array(HEADER + entries.length * ENTRY);
  const view = new DataView(bytes.buffer);
  let at = HEADER;
  for (const { cluster, slot, sum } of entries) {
    view.setUint32(at, cluster, true);
    view.setUint32(at + 4, slot, true);
    view.setUint32(at + 8, sum, true);
    at += ENTRY;
  }
  for (const [i, value] of [MAGIC, generation, sequence, entries.length, expected].entries()) {
    view.setUint32(i * 4, value, true);
  }
  view.setUint32(20, checksum(bytes.subarray(HEADER)), true);
  view.setUint32(24, checksum(bytes.subarray(0, 24)), true);
  return bytes;
}

/** `sum` and one batch more: its header has the checksum of all that it holds. */
function withHeader(sum: number, batch: Uint8Array): number {
  return checksum(batch.subarray(0, HEADER), sum);
}

/** The batch at `at` when it is whole and the one that is due. */
function read(file: StorageFile, at: number, generation: number, sequence: number) {
  const header = new Uint8Array(HEADER);
  if (file.read(at, header) < HEADER) return undefined;
  const view = new DataView(header.buffer);
  const word = (i: number) => view.getUint32(i * 4, true);
  if (word(0) !== MAGIC || word(6) !== checksum(header.subarray(0, 24))) return undefined;
  if (word(1) !== generation && generation !== 0) return undefined;
  if (word(2) !== sequence || word(3) > BATCH) return undefined;
  const count = word(3);
  const bytes = new Uint8Array(count * ENTRY);
  if (file.read(at + HEADER, bytes) < bytes.length || word(5) !== checksum(bytes)) return undefined;
  const entries = new DataView(bytes.buffer);
  return { header, generation: word(1), expected: word(4), count, entries };
}

/** Generation of a journal whose beginning is whole; 0 when it is not. */
function generationOf(file: StorageFile): number {
  const first = read(file, 0, 0, 0);
  if (first === undefined || first.generation === 0) return 0;
  let at = 0;
  for (let sequence = 0; sequence < first.expected; sequence++) {
    const batch = read(file, at, first.generation, sequence);
    if (batch === undefined) return 0;
    at += HEADER + batch.count * ENTRY;
  }
  return first.generation;
}
