/**
 * What this computer and this browser give: processors, memory, storage, isolation, the engine's
 * features, and how fast a guest runs. Memory and speed are measured, in a worker that is ended
 * right after. The result is remembered, so that starting a VM can be judged without measuring.
 */
import * as v from 'valibot';
import type { Budget } from '../resources/admission.ts';
import {
  AssessmentReplySchema,
  type AssessmentRequest,
  MemoryProbeSchema,
  type Speed,
  SpeedSchema,
} from '../worker/assessment-protocol.ts';
import { sharedMemoryAvailable } from './features.ts';
import type { WorkerAssets } from './worker-assets.ts';

const GIB = 1024 ** 3;
/** As far as memory is asked for: a measurement must not take from others what nobody needs. */
const MEMORY_BOUND = 4 * GIB;
/** How long the guest runs by which the speed is measured, in seconds. */
const SPEED_SECONDS = 2;
/** A worker that has said nothing by then is given up, in milliseconds. */
const WORKER_LIMIT_MS = 30_000;
/** Of the device's memory, guests can have this much: the rest is the system's and the browser's. */
const SHARE_OF_DEVICE = 0.6;
/** `deviceMemory` says no more than this, whatever there is, in gigabytes. */
const HINT_MAXIMUM = 8;
const KEY = 'tabvisor.host';

const Count = v.pipe(v.number(), v.finite(), v.minValue(0));
const AssessmentSchema = v.object({
  /** Of this format: an older one is measured anew. */
  version: v.literal(1),
  /** Milliseconds since 1970. */
  at: Count,
  cores: v.pipe(Count, v.integer(), v.minValue(1)),
  memory: v.optional(MemoryProbeSchema),
  /** What the browser says of the device's memory, in gigabytes, coarsely; some say nothing. */
  deviceMemory: v.optional(Count),
  storage: v.optional(v.object({ used: Count, quota: Count, persistent: v.boolean() })),
  crossOriginIsolated: v.boolean(),
  sharedMemory: v.boolean(),
  speed: v.optional(SpeedSchema),
  /** Why the measurement is not whole. */
  problem: v.optional(v.string()),
});
export type HostAssessment = v.InferOutput<typeof AssessmentSchema>;

/** The last one; undefined before the first, or where nothing can be remembered. */
export function rememberedAssessment(): HostAssessment | undefined {
  try {
    return v.parse(AssessmentSchema, JSON.parse(localStorage.getItem(KEY) ?? 'null'));
  } catch {
    return undefined;
  }
}

/** Measures, remembers, and returns. `speed`: also how fast a guest runs, which keeps a processor busy for two seconds. */
export async function assessHost(assets: WorkerAssets, speed: boolean): Promise<HostAssessment> {
  const before = rememberedAssessment();
  const measured = await measure(assets, speed).catch((error: unknown) => ({
    problem: error instanceof Error ? error.message : String(error),
  }));
  const assessment: HostAssessment = {
    version: 1,
    at: Date.now(),
    cores: Math.max(1, navigator.hardwareConcurrency || 1),
    ...deviceMemory(),
    ...(await storage()),
    crossOriginIsolated: globalThis.crossOriginIsolated === true,
    sharedMemory: sharedMemoryAvailable(),
    ...(!speed && before?.speed ? { speed: before.speed } : {}),
    ...measured,
  };
  try {
    localStorage.setItem(KEY, JSON.stringify(assessment));
  } catch {
    // Not remembered: the next page measures again.
  }
  return assessment;
}

/** What guests may have of it all, together. Before the first assessment only the processors are known. */
export function budgetOf(assessment: HostAssessment | undefined): Budget {
  const cores = assessment?.cores ?? Math.max(1, navigator.hardwareConcurrency || 1);
  const probe = assessment?.memory;
  if (probe === undefined) return { cores, memory: undefined, memoryEnds: false };
  // The hint counts only where it is lower than what was given: addresses are not yet memory.
  const hint = assessment?.deviceMemory;
  const limit =
    hint === undefined || hint >= HINT_MAXIMUM
      ? Number.POSITIVE_INFINITY
      : hint * GIB * SHARE_OF_DEVICE;
  return { cores, memory: Math.min(probe.bytes, limit), memoryEnds: probe.ends };
}

function deviceMemory(): Pick<HostAssessment, 'deviceMemory'> {
  const { deviceMemory } = navigator as Navigator & { readonly deviceMemory?: unknown };
  return typeof deviceMemory === 'number' && deviceMemory > 0 ? { deviceMemory } : {};
}

async function storage(): Promise<Pick<HostAssessment, 'storage'>> {
  try {
    const { usage = 0, quota = 0 } = await navigator.storage.estimate();
    const persistent = await navigator.storage.persisted();
    return { storage: { used: usage, quota, persistent } };
  } catch {
    return {};
  }
}

type Measured = Pick<HostAssessment, 'memory' | 'speed' | 'problem'>;

async function measure(assets: WorkerAssets, speed: boolean): Promise<Measured> {
  const core = speed ? (await assets.core(false)).slice(0) : undefined;
  const worker = new Worker(new URL('../worker/assessment.ts', import.meta.url), {
    type: 'module',
    name: 'Host assessment',
  });
  try {
    return await answers(worker, {
      memoryBound: MEMORY_BOUND,
      ...(core === undefined ? {} : { speed: { core, seconds: SPEED_SECONDS } }),
    });
  } finally {
    // This is what gives the memory back.
    worker.terminate();
  }
}

function answers(worker: Worker, request: AssessmentRequest): Promise<Measured> {
  return new Promise((resolve) => {
    const measured: Measured = {};
    const end = (problem?: string) => {
      clearTimeout(timer);
      resolve(problem === undefined ? measured : { ...measured, problem });
    };
    const timer = setTimeout(
      () => end('The measurement took too long and was given up.'),
      WORKER_LIMIT_MS,
    );
    worker.onerror = (event) => {
      event.preventDefault();
      end(`The measurement could not be started: ${event.message || 'its script is not there'}.`);
    };
    worker.onmessage = ({ data }: MessageEvent<unknown>) => {
      const reply = v.parse(AssessmentReplySchema, data);
      if (reply.type === 'failed') return end(reply.reason);
      if (reply.type === 'memory') measured.memory = reply.memory;
      else measured.speed = reply.speed satisfies Speed;
      if (reply.type === 'speed' || request.speed === undefined) end();
    };
    worker.postMessage(request, request.speed === undefined ? [] : [request.speed.core]);
  });
}
