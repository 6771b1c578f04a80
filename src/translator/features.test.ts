/** What is asked of the engine, asked of one whose tail calls can be switched off. */
import { setFlagsFromString } from 'node:v8';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { engineFeatures, hasRelaxedSimd, hasTailCalls } from './features.ts';

afterEach(() => vi.restoreAllMocks());

describe('features of the engine', () => {
  it('are what a validator accepts', () => {
    expect(hasTailCalls()).toBe(true);
    vi.spyOn(WebAssembly, 'validate').mockReturnValue(false);
    expect([hasTailCalls(), hasRelaxedSimd()]).toEqual([false, false]);
  });

  // V8 of Node 20 has the switch; later ones have tail calls for good.
  it.runIf(process.version.startsWith('v20.'))(
    'tail calls are missed where they are missing',
    () => {
      setFlagsFromString('--no-experimental-wasm-return-call');
      try {
        expect(hasTailCalls()).toBe(false);
      } finally {
        setFlagsFromString('--experimental-wasm-return-call');
      }
      expect(hasTailCalls()).toBe(true);
    },
  );

  it('can be left unused', () => {
    expect(engineFeatures(['tailCalls']).tailCalls).toBe(false);
    expect(engineFeatures().tailCalls).toBe(true);
    expect(engineFeatures(['fusedMultiplyAdd'])).toEqual({
      tailCalls: true,
      fusedMultiplyAdd: false,
    });
  });
});
