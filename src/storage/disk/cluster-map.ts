/**
 * Where each cluster of a disk is: in which layer of its chain, at which slot of that layer's file,
 * and the checksum of what is there. Two levels of typed arrays, so that a disk of which little is
 * used needs little memory.
 */

/** Bytes of a cluster. */
export const CLUSTER = 4096;
/** Slot of a cluster that is all zeroes and takes no place. */
export const ZERO_SLOT = 0xffff_ffff;
const LEAF = 1024;

interface Leaf {
  readonly layer: Uint16Array;
  readonly slot: Uint32Array;
  readonly sum: Uint32Array;
}

export class ClusterMap {
  readonly #leaves: (Leaf | undefined)[] = [];

  /** Number of the layer that holds `cluster`, from 1 on; 0: none does. */
  layer(cluster: number): number {
    return this.#leaves[Math.floor(cluster / LEAF)]?.layer[cluster % LEAF] ?? 0;
  }

  slot(cluster: number): number {
    return this.#leaves[Math.floor(cluster / LEAF)]?.slot[cluster % LEAF] ?? 0;
  }

  sum(cluster: number): number {
    return this.#leaves[Math.floor(cluster / LEAF)]?.sum[cluster % LEAF] ?? 0;
  }

  set(cluster: number, layer: number, slot: number, sum: number): void {
    const index = Math.floor(cluster / LEAF);
    let leaf = this.#leaves[index];
    if (leaf === undefined) {
      leaf = {
        layer: new Uint16Array(LEAF),
        slot: new Uint32Array(LEAF),
        sum: new Uint32Array(LEAF),
      };
      this.#leaves[index] = leaf;
    }
    leaf.layer[cluster % LEAF] = layer;
    leaf.slot[cluster % LEAF] = slot;
    leaf.sum[cluster % LEAF] = sum;
  }

  /** All clusters that a layer holds, in order; those of `layer` only, when it is given. */
  *entries(layer = 0): Generator<{ cluster: number; layer: number; slot: number; sum: number }> {
    for (const [index, leaf] of this.#leaves.entries()) {
      if (leaf === undefined) continue;
      for (let i = 0; i < LEAF; i++) {
        const at = leaf.layer[i]!;
        if (at === 0 || (layer !== 0 && at !== layer)) continue;
        yield { cluster: index * LEAF + i, layer: at, slot: leaf.slot[i]!, sum: leaf.sum[i]! };
      }
    }
  }
}
