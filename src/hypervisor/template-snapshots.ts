/**
 * The snapshots that templates start from, on the page's side: an index and a state to begin with,
 * and pieces of RAM as VMs ask for them. Relies on the image store to verify and keep files;
 * guarantees that VMs that start together share what is downloaded, and that what a guest needs
 * first is on its way before its worker asks.
 */
import type { ImageFile, Manifest, Template } from '../machine/manifest.ts';
import {
  parseSnapshotIndex,
  pieceBytes,
  type SnapshotIndex,
  type Stored,
  storedName,
} from '../machine/snapshot/template-index.ts';
import type { PackedImage } from '../worker/protocol.ts';
import { unpack } from '../worker/unpack.ts';
import type { ImageStore } from './images.ts';

/** Pieces stay in memory this long for the next VM of the same template, in milliseconds. */
const KEEP_MS = 30_000;
/** Pieces that are fetched ahead at the same time. */
const AHEAD = 4;

export class TemplateSnapshot {
  readonly #pieces = new Map<number, Promise<PackedImage>>();
  readonly #fetch: (file: Stored, size: number) => Promise<PackedImage>;

  private constructor(
    /** As it is sent to a worker. */
    readonly packedIndex: PackedImage,
    readonly index: SnapshotIndex,
    readonly state: PackedImage,
    fetch: (file: Stored, size: number) => Promise<PackedImage>,
  ) {
    this.#fetch = fetch;
  }

  static async open(images: ImageStore, base: URL, file: ImageFile): Promise<TemplateSnapshot> {
    const packed = await images.file(base, file);
    const text = new TextDecoder().decode(
      await unpack({ ...packed, bytes: packed.bytes.slice(0) }),
    );
    const index = parseSnapshotIndex(text, file.file);
    const folder = new URL(file.file, base);
    const fetch = async (stored: Stored, size: number) => {
      const { sha256, size: wire } = stored;
      const image = await images.file(folder, { file: storedName(stored), sha256, size: wire });
      return { ...image, packed: true, size };
    };
    const state = await fetch(index.state, index.state.bytes);
    const snapshot = new TemplateSnapshot(packed, index, state, fetch);
    void snapshot.#ahead();
    return snapshot;
  }

  /** A piece; refused with a sentence when there is no such piece, or it cannot be had. */
  piece(number: number): Promise<PackedImage> {
    let piece = this.#pieces.get(number);
    if (piece !== undefined) return piece;
    const named = this.index.pieces[number];
    if (named === undefined) return Promise.reject(new Error('The snapshot has no such piece.'));
    piece = this.#fetch(named, pieceBytes(named));
    this.#pieces.set(number, piece);
    const forget = () => this.#pieces.delete(number);
    piece.then(() => setTimeout(forget, KEEP_MS), forget);
    return piece;
  }

  /** Fetches what a guest touches first. What fails is met by whoever needs it. */
  async #ahead(): Promise<void> {
    let next = 0;
    const lane = async () => {
      while (next < this.index.first) await this.piece(next++).catch(() => {});
    };
    await Promise.all(Array.from({ length: AHEAD }, lane));
  }
}

export class TemplateSnapshots {
  readonly #open = new Map<string, Promise<TemplateSnapshot>>();

  constructor(private readonly images: ImageStore) {}

  /** The snapshot of a manifest that names one. */
  open(template: Template, { snapshot }: Manifest): Promise<TemplateSnapshot> {
    if (snapshot === undefined) return Promise.reject(new Error('The template has no snapshot.'));
    const key = snapshot.sha256;
    let opening = this.#open.get(key);
    if (opening === undefined) {
      opening = TemplateSnapshot.open(this.images, this.images.manifestUrl(template), snapshot);
      this.#open.set(key, opening);
      const forget = () => this.#open.delete(key);
      opening.then(() => setTimeout(forget, KEEP_MS), forget);
    }
    return opening;
  }
}
