/**
 * What the browser must have for a VM to run, and what it would be good to have. Each missing
 * feature is named together with the versions that brought it.
 */
import { hasRelaxedSimd, hasTailCalls } from '../translator/features.ts';

export interface MissingFeature {
  name: string;
  why: string;
  versions: string;
}

interface Feature extends MissingFeature {
  present(): boolean;
}

function secure(): boolean {
  return globalThis.isSecureContext && 'subtle' in crypto;
}

const REQUIRED: Feature[] = [
  {
    name: 'a secure context',
    why: 'guest images are verified with it; open the page by https, or from localhost',
    versions: 'every browser, by https or from localhost',
    present: secure,
  },
  {
    name: 'WebAssembly with 64-bit integers',
    why: 'the processor of the virtual machines is made of it',
    versions: 'Chrome 85, Firefox 79, Safari 15',
    present: () => typeof WebAssembly === 'object' && typeof BigInt64Array === 'function',
  },
  {
    name: 'Web Workers',
    why: 'each virtual machine runs in one of its own',
    versions: 'every current browser',
    present: () => typeof Worker === 'function' && typeof MessageChannel === 'function',
  },
  {
    name: 'DecompressionStream',
    why: 'guest images are downloaded compressed',
    versions: 'Chrome 80, Firefox 113, Safari 16.4',
    present: () => typeof DecompressionStream === 'function',
  },
];

/** What VMs run without, only slower; a worker finds the same out by itself. */
const USEFUL: Feature[] = [
  {
    name: 'WebAssembly tail calls',
    why: 'translated code goes on in other translated code by way of the interpreter',
    versions: 'Chrome 112, Firefox 121, Safari 18.2',
    present: hasTailCalls,
  },
  {
    name: 'WebAssembly relaxed SIMD',
    why: 'fused multiply-add is computed step by step',
    versions: 'Chrome 114, Firefox 145',
    present: hasRelaxedSimd,
  },
];

/** Required features that this browser lacks; empty when everything is there. */
export function missingFeatures(): MissingFeature[] {
  return missingOf(REQUIRED);
}

/** Features without which guests run slower. */
export function slowFeatures(): MissingFeature[] {
  return missingOf(USEFUL);
}

export interface HostFeature {
  readonly name: string;
  readonly versions: string;
  readonly present: boolean;
  /** Without it nothing runs; the others only cost speed or comfort. */
  readonly required: boolean;
}

/** Every feature that matters here, and whether this browser has it. */
export function hostFeatures(): HostFeature[] {
  const list = (features: readonly Feature[], required: boolean) =>
    features.map(({ name, versions, present }) => ({
      name,
      versions,
      present: attempt(present),
      required,
    }));
  return [...list(REQUIRED, true), ...list(USEFUL, false)];
}

function missingOf(features: readonly Feature[]): MissingFeature[] {
  return features.filter(({ present }) => !attempt(present));
}

function attempt(present: () => boolean): boolean {
  try {
    return present();
  } catch {
    // A probe that throws is a feature that is missing.
    return false;
  }
}

/** Shared memory needs the page's isolation headers; without it a VM has plain memory. */
export function sharedMemoryAvailable(): boolean {
  return globalThis.crossOriginIsolated === true && typeof SharedArrayBuffer === 'function';
}
