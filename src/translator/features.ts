/**
 * What this engine's WebAssembly can do beyond what the core itself needs, found out by trying.
 * Translated code does without each of them, only slower.
 */
import { Bytes, Code, Op, SimdOp, Type } from './wasm-writer.ts';

export interface EngineFeatures {
  /** Regions go on in each other by tail calls; else by way of the interpreter's loop. */
  readonly tailCalls: boolean;
  /**
   * Relaxed SIMD's multiply-add rounds once. It may round twice on some processors (relaxed SIMD
   * proposal, 'Relaxed Multiply-Add'); an engine keeps to one way.
   */
  readonly fusedMultiplyAdd: boolean;
}

export type EngineFeature = keyof EngineFeatures;

let found: EngineFeatures | undefined;

/** What the engine has, less what is to be done without. */
export function engineFeatures(without: readonly EngineFeature[] = []): EngineFeatures {
  found ??= { tailCalls: hasTailCalls(), fusedMultiplyAdd: multiplyAddIsFused() };
  if (without.length === 0) return found;
  return { ...found, ...Object.fromEntries(without.map((feature) => [feature, false])) };
}

/** Whether the engine accepts a tail call. */
export function hasTailCalls(): boolean {
  return WebAssembly.validate(oneFunction(new Code().u32(0).op(Op.return_call).u32(0).op(Op.end)));
}

/** Whether the engine accepts relaxed SIMD; how it rounds, only running it shows. */
export function hasRelaxedSimd(): boolean {
  return WebAssembly.validate(multiplyAddProbe(true, 0));
}

/** Both widths: (1 + e)² - (1 + 2e) is e², and 0 where the product is rounded by itself. */
function multiplyAddIsFused(): boolean {
  return isFused(true, 2 ** -30) && isFused(false, 2 ** -13);
}

function isFused(double: boolean, e: number): boolean {
  const module = multiplyAddProbe(double, e);
  if (!WebAssembly.validate(module)) return false;
  const { f } = new WebAssembly.Instance(new WebAssembly.Module(module)).exports;
  return typeof f === 'function' && f() === 1;
}

function multiplyAddProbe(double: boolean, e: number): Uint8Array<ArrayBuffer> {
  const code = new Code().u32(0);
  for (const value of [1 + e, 1 + e, -1 - 2 * e]) {
    code.float(double, value).simd(double ? SimdOp.f64x2_splat : SimdOp.f32x4_splat);
  }
  code.simd(double ? SimdOp.f64x2_relaxed_madd : SimdOp.f32x4_relaxed_madd);
  code.simd(double ? SimdOp.f64x2_extract_lane : SimdOp.f32x4_extract_lane).byte(0);
  code.float(double, e * e).op(double ? Op.f64_eq : Op.f32_eq, Op.end);
  return oneFunction(code);
}

/** A module that exports `f: () → i32` with this code. */
function oneFunction(code: Code): Uint8Array<ArrayBuffer> {
  const bytes = new Bytes()
    .byte(0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0)
    .section(1, new Bytes().u32(1).byte(0x60, 0, 1, Type.i32))
    .section(3, new Bytes().u32(1).u32(0))
    .section(7, new Bytes().u32(1).text('f').byte(0).u32(0))
    .section(10, new Bytes().u32(1).u32(code.length).append(code));
  return new Uint8Array(bytes.view);
}
