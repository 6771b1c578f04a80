/**
 * What the browser must have for a VM to run, and what it would be good to have. Each missing
 * feature is named together with the versions that brought it.
 */
export interface MissingFeature {
  name: string;
  why: string;
  versions: string;
}

interface Feature extends MissingFeature {
  present(): boolean;
}

/** The smallest module with a 128-bit vector: `(func (result v128) (v128.const 0) …)`. */
const SIMD_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15,
  253, 98, 11,
]);

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
    versions: 'Chrome 85, Firefox 78, Safari 15',
    present: () => typeof WebAssembly === 'object' && typeof BigInt64Array === 'function',
  },
  {
    name: 'WebAssembly SIMD',
    why: 'the processor of the virtual machines uses it',
    versions: 'Chrome 91, Firefox 89, Safari 16.4',
    present: () => WebAssembly.validate(SIMD_PROBE),
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

/** Required features that this browser lacks; empty when everything is there. */
export function missingFeatures(): MissingFeature[] {
  const missing: MissingFeature[] = [];
  for (const feature of REQUIRED) {
    let present = false;
    try {
      present = feature.present();
    } catch {
      // A probe that throws is a feature that is missing.
    }
    if (!present) missing.push(feature);
  }
  return missing;
}

/** Shared memory needs the page's isolation headers; without it a VM has plain memory. */
export function sharedMemoryAvailable(): boolean {
  return globalThis.crossOriginIsolated === true && typeof SharedArrayBuffer === 'function';
}
