/**
 * What a virtio device is to the transport, and the transport to a device. A device says what it
 * is and what it offers, and answers when a queue has work; negotiation, register checks, resets,
 * interrupts, errors and queue memory are the transport's (transport.ts), once for all devices.
 */
import type { State } from '../state.ts';
import type { DescriptorChain } from './chain.ts';
import type { SplitQueue } from './queue.ts';

export interface VirtioDevice {
  /** Name for people. */
  readonly name: string;
  /** virtio 1.2 §5. */
  readonly deviceId: number;
  /** Numbers of the feature bits that this device offers; the transport adds its own. */
  readonly features: readonly number[];
  /** Greatest size of each queue; powers of two. */
  readonly queueSizes: readonly number[];
  /** The configuration space, kept up to date by the device; little endian. */
  readonly config: Uint8Array;
  readonly state: State;

  /** Called once, before anything else. */
  attach(link: VirtioLink): void;
  /** The driver is ready (DRIVER_OK); features are final. All queues are notified next. */
  activate?(): void;
  /** The driver made buffers available, or the device asked for this call by `link.poke`. */
  onQueue(index: number): void;
  /** The driver wrote to the configuration space. */
  writeConfig?(offset: number, size: number, value: number): void;
  /** Back to the state after power-on; requests in flight have been abandoned. */
  reset(): void;
  /** After a restore: takes up again a request that was in flight when the state was saved. */
  resume?(index: number, chain: DescriptorChain): void;
  /** After a restore, before `resume`: derive what is not saved. */
  restored?(): void;
}

export interface VirtioLink {
  readonly queues: readonly SplitQueue[];
  /** The driver is ready, and neither side has failed. Without it no queue may be touched. */
  readonly live: boolean;
  /** Whether the driver has accepted a feature. */
  has(feature: number): boolean;
  /** Completes a request; the driver is interrupted when the present work ends, if it wants to. */
  complete(index: number, chain: DescriptorChain): void;
  /** Has `onQueue(index)` called, now or when the present work ends. Nothing happens unless live. */
  poke(index: number): void;
  /** Runs work that the host began (a completion, say) with the care that `onQueue` gets. */
  run(work: () => void): void;
  /** `config` has changed: tells the driver. */
  configChanged(): void;
}
