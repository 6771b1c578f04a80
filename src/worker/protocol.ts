/**
 * What the page and a VM's worker say to each other. The schemas are the one definition: the page
 * checks with them every message that comes from a worker, because a guest that broke out of the
 * core may say anything; the types that both sides use are inferred from them. Commands go over
 * one port (comlink), console and events over a second one. Only ArrayBuffers and MessagePorts
 * cross: shared memory and modules do not pass the edge of an isolated frame.
 */
import * as v from 'valibot';
import type { DiskLimit } from '../resources/limits.ts';
import { FiguresSchema } from './figures.ts';
import type { PortDiskConfig } from './port-disk.ts';

export type { Figures } from './figures.ts';

/** Bytes of console output that may be under way without the page's acknowledgement. */
export const OUTPUT_WINDOW = 128 * 1024;
/** Largest single message of console output, in bytes. */
export const OUTPUT_CHUNK = 32 * 1024;
/** Largest text (a reason, an error) that the page accepts from a worker, in UTF-16 units. */
export const TEXT_LIMIT = 2000;
/** Interval between two reports of a VM's figures, in milliseconds. */
export const FIGURES_INTERVAL_MS = 1000;

const Text = v.pipe(v.string(), v.maxLength(TEXT_LIMIT));
const Count = v.pipe(v.number(), v.finite(), v.minValue(0));

const MachineStateSchema = v.strictObject({
  kind: v.picklist(['created', 'running', 'paused', 'off', 'crashed', 'destroyed']),
  reason: v.optional(Text),
  exitCode: v.optional(v.pipe(v.number(), v.integer())),
});
export type GuestState = v.InferOutput<typeof MachineStateSchema>;

const ConsoleSourceSchema = v.picklist(['serial', 'hvc']);
export type ConsoleSource = v.InferOutput<typeof ConsoleSourceSchema>;

/** What happened in a machine and is no state; the kinds are those of the page's event log. */
const MachineEventSchema = v.strictObject({
  kind: v.picklist(['disk-error', 'refused-input', 'memory', 'guest', 'stalled']),
  level: v.picklist(['info', 'warning', 'error']),
  text: Text,
});
export type MachineEvent = v.InferOutput<typeof MachineEventSchema>;

/** Worker → page, on the stream port. */
export const WorkerMessageSchema = v.variant('type', [
  v.strictObject({
    type: v.literal('output'),
    source: ConsoleSourceSchema,
    data: v.pipe(
      v.instance(Uint8Array),
      v.check((data) => data.byteLength <= OUTPUT_CHUNK, 'a console chunk is too long'),
      v.check(
        (data) => data.buffer instanceof ArrayBuffer && data.buffer.byteLength <= OUTPUT_CHUNK,
        'a console chunk drags a larger buffer along',
      ),
    ),
  }),
  v.strictObject({ type: v.literal('state'), state: MachineStateSchema }),
  v.strictObject({ type: v.literal('figures'), figures: FiguresSchema }),
  v.strictObject({ type: v.literal('event'), event: MachineEventSchema }),
  /** Processors that the guest would use if it could, when that has changed. */
  v.strictObject({
    type: v.literal('demand'),
    demand: v.pipe(v.number(), v.minValue(0), v.maxValue(1)),
  }),
]);
export type WorkerMessage = v.InferOutput<typeof WorkerMessageSchema>;

/** Page → worker, on the stream port. The page is trusted: these are types only. */
export type PageMessage =
  | { type: 'input'; data: Uint8Array }
  | { type: 'acknowledge'; bytes: number }
  | { type: 'resize'; columns: number; rows: number }
  /** Bytes that the guest is to get by with. */
  | { type: 'memory'; target: number }
  /** Processors that it may use; undefined: as much as there is. */
  | { type: 'quota'; quota: number | undefined }
  /** What its disks may do, all together and each. */
  | { type: 'disk-limits'; all: DiskLimit; each: readonly DiskLimit[] };

/** What a capture cost. */
const CaptureReportSchema = v.strictObject({
  /** Milliseconds in which the guest stood still. */
  pause_ms: Count,
  pages: Count,
  total_ms: Count,
});
export type CaptureReport = v.InferOutput<typeof CaptureReportSchema>;

/** What comlink may carry from a worker: nothing, what a capture cost, or an error's text. */
export const ReplySchema = v.variant('type', [
  v.object({
    id: v.pipe(v.string(), v.maxLength(128)),
    type: v.literal('RAW'),
    value: v.optional(v.union([v.undefined(), CaptureReportSchema])),
  }),
  v.object({
    id: v.pipe(v.string(), v.maxLength(128)),
    type: v.literal('HANDLER'),
    name: v.literal('throw'),
    value: v.object({
      isError: v.literal(true),
      value: v.object({ message: Text, name: Text }),
    }),
  }),
]);

/** A file of an image on its way to a worker, verified. */
export interface PackedImage {
  /** For messages. */
  name: string;
  bytes: ArrayBuffer;
  /** Compressed by gzip. */
  packed: boolean;
  /** Bytes when unpacked. */
  size: number;
}

/** The snapshot that a template starts from (machine/snapshot/template-index.ts). */
export interface TemplateStart {
  index: PackedImage;
  state: PackedImage;
  /** The rest comes on it: pieces, and images for a reset (template-protocol.ts). */
  port: MessagePort;
  /** What the guest is told that it is called. */
  hostName: string;
}

export interface BootConfig {
  /** Guest RAM in bytes. */
  memory: number;
  /** Bytes that the guest is to get by with at first: all of it unless given. */
  memoryTarget?: number;
  /** What is booted; without it the VM goes on from `template`. */
  kernel?: PackedImage;
  initrd?: PackedImage;
  template?: TemplateStart;
  append: string;
  /** Bytes of a blank disk in the worker's memory. */
  disk?: number;
  /** Disks that the broker of storage serves, each over a port. */
  disks?: readonly PortDiskConfig[];
  /** Shared folders: each on a port of its own, with the tag by which the guest mounts it. */
  shares?: { tag: string; port: MessagePort }[];
  /** Where to go on from instead of booting; the images for a reset come on a port, when asked for. */
  from?: RestoreOrigin & { images: MessagePort };
  /** Whether the core that `prepare` was given is the build for shared memory. */
  shared: boolean;
  columns: number;
  rows: number;
}

/** A snapshot, over a port, and who goes on from it. */
export interface RestoreOrigin {
  source: MessagePort;
  /** `new`: the guest is told that another one may go on from there too, and its host name. */
  generation: 'same' | 'new';
  name: string;
}

/** A machine that is there becomes what a snapshot holds: what stands behind its devices is new. */
export interface RestoreConfig extends RestoreOrigin {
  /** As many as at `boot`, in that order. */
  disks: readonly PortDiskConfig[];
  shares: readonly { tag: string; port: MessagePort }[];
}

/** The commands of one VM. Each resolves when it is done, or rejects with a sentence. */
export interface VmApi {
  /** Compiles the CPU core from its module's bytes, before `boot`, while images are still coming. */
  prepare(core: ArrayBuffer): Promise<void>;
  /** Takes translations made ahead of time for the core; nothing waits for them. */
  translations(library: PackedImage): Promise<void>;
  boot(config: BootConfig): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  reset(): Promise<void>;
  powerOff(): Promise<void>;
  /** Sends all of the machine over a port to the broker of storage, while it runs. */
  capture(port: MessagePort): Promise<CaptureReport>;
  /** Replaces the machine's state; it runs then. */
  restore(config: RestoreConfig): Promise<void>;
}

/** The first message a worker gets: the two ports that it will ever talk to. */
export interface VmPorts {
  control: MessagePort;
  stream: MessagePort;
}
