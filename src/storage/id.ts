/** Ids of disks, layers and snapshots: 128 random bits, so that two stores never mean different things by one. */
import { toHex } from './hash.ts';

export function newId(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(16)));
}
