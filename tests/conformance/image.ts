/** A RAM image: the harness and as many blocks as fit; which block lies where. */
import { blockBytes, type TestBlock, writeBlock } from './block.ts';
import { harness } from './harness.ts';
import { BLOCKS, Block, RAM_BASE, RAM_SIZE, RESULTS, RESULTS_END, Result } from './layout.ts';

const pieces = harness();

/** How many results fit. */
export const MOST_BLOCKS = Math.floor((RESULTS_END - RESULTS) / Result.size);

/** Address of the result of the image's block number `i`. */
export function resultAddress(i: number): number {
  return RESULTS + Result.size * i;
}

export class Image {
  readonly bytes: Uint8Array;
  readonly blocks: TestBlock[] = [];
  readonly #view: DataView;
  #end = BLOCKS;
  #last: number | undefined;

  constructor() {
    this.bytes = new Uint8Array(RAM_SIZE);
    this.#view = new DataView(this.bytes.buffer);
    for (const { address, bytes } of pieces) this.bytes.set(bytes, address - RAM_BASE);
  }

  /** Appends a block; false when it does not fit any more. */
  add(block: TestBlock): boolean {
    const size = blockBytes(block);
    // A wfi that is illegal in the last word of a page: QEMU 10 gives an epc one page further on.
    const code = this.#end + Block.code;
    const crosses = code >>> 12 !== (code + size - Block.code) >>> 12;
    if (block.kind === 'wait' && crosses) this.#end = Math.ceil(code / 4096) * 4096 - Block.code;
    if (this.#end + size > RESULTS || this.blocks.length >= MOST_BLOCKS) return false;
    const address = this.#end;
    const result = resultAddress(this.blocks.length);
    writeBlock(this.#view, block, { address, result, next: 0 });
    // The block before leads here: its first doubleword is the next block's address.
    if (this.#last !== undefined) {
      this.#view.setBigUint64(this.#last - RAM_BASE, BigInt(address), true);
    }
    this.#last = address;
    this.#end = address + size;
    this.blocks.push(block);
    return true;
  }
}

/** An image of these blocks, all of which must fit. */
export function imageOf(blocks: readonly TestBlock[]): Image {
  const image = new Image();
  for (const block of blocks) {
    if (!image.add(block)) throw new Error('The blocks do not fit into one image.');
  }
  return image;
}
