/**
 * Merges a layer into the one below it: what the upper holds is written to the lower, which then reads
 * as both did together. The upper one is not changed, so a crash at any moment leaves a chain that
 * reads the same.
 */
import type { StorageFolder } from '../files.ts';
import { CLUSTER, ZERO_SLOT } from './cluster-map.ts';
import type { JournalEntry, JournalMark } from './journal.ts';
import { Layer, PENDING_MAX } from './layer.ts';

/** Merges two layers that hold what `marks` say they do; returns the lower one's mark from now on. */
export async function mergeLayers(
  layers: StorageFolder,
  lowerId: string,
  upperId: string,
  clusters: number,
  marks: ReadonlyMap<string, JournalMark>,
): Promise<JournalMark> {
  const lower = await Layer.open(await layers.folder(lowerId), lowerId, clusters);
  try {
    const upper = await Layer.open(await layers.folder(upperId), upperId, clusters);
    try {
      // What is gone would be gone for good: afterwards the mark is another.
      for (const layer of [lower, upper]) {
        const mark = marks.get(layer.id);
        if (mark) layer.check(mark);
      }
      const below = new Map([...lower.entries()].map((entry) => [entry.cluster, entry]));
      const former = (cluster: number) => {
        const slot = below.get(cluster)?.slot ?? ZERO_SLOT;
        return slot === ZERO_SLOT ? -1 : slot;
      };
      const placed = (entry: JournalEntry) => void below.set(entry.cluster, entry);
      const live = () => below.values();
      const bytes = new Uint8Array(CLUSTER);
      for (const entry of upper.entries()) {
        const { cluster, slot } = entry;
        if (slot === ZERO_SLOT) {
          lower.zero(cluster, former(cluster), placed);
        } else {
          upper.readChecked(entry, bytes);
          lower.write(cluster, bytes, former, placed);
        }
        if (lower.pending >= PENDING_MAX) lower.commit(live);
      }
      lower.commit(live);
      return lower.mark;
    } finally {
      upper.close();
    }
  } finally {
    lower.close();
  }
}
