/**
 * virtio entropy device (virtio 1.2 §5.4): fills the driver's buffers with random bytes from the
 * source that was handed in. Each request gets a bounded number of bytes, so that a driver cannot
 * make the host produce more than it asks for in small pieces.
 */
import { NO_STATE } from '../../state.ts';
import { VirtioError } from '../../virtio/chain.ts';
import { DEVICE_ID } from '../../virtio/constants.ts';
import type { VirtioDevice, VirtioLink } from '../../virtio/device.ts';

/** Bytes for one request; Linux asks for 64 at a time. */
export const ENTROPY_LIMIT = 4096;
const QUEUE_SIZE = 8;

export class EntropyDevice implements VirtioDevice {
  readonly name = 'virtio-rng';
  readonly deviceId = DEVICE_ID.ENTROPY;
  readonly features = [];
  readonly queueSizes = [QUEUE_SIZE];
  readonly config = new Uint8Array(0);
  readonly state = NO_STATE;
  readonly #fill: (into: Uint8Array) => void;
  readonly #buffer = new Uint8Array(ENTROPY_LIMIT);
  #link: VirtioLink | undefined;

  constructor(fill: (into: Uint8Array) => void) {
    this.#fill = fill;
  }

  attach(link: VirtioLink): void {
    this.#link = link;
  }

  onQueue(index: number): void {
    const link = this.#link!;
    const queue = link.queues[index]!;
    for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
      const { writer } = chain;
      if (writer.remaining === 0) {
        throw new VirtioError('A request for random bytes has no room for any.');
      }
      const bytes = this.#buffer.subarray(0, Math.min(writer.remaining, ENTROPY_LIMIT));
      this.#fill(bytes);
      writer.write(bytes);
      link.complete(index, chain);
    }
    // What was given out must not be found here later.
    this.#buffer.fill(0);
  }

  reset(): void {}
}
