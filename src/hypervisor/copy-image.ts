import type { PackedImage } from '../worker/protocol.ts';

/** For a worker to take over: several VMs may start from one image. */
export function copyOf(image: PackedImage): PackedImage {
  return { ...image, bytes: image.bytes.slice(0) };
}
