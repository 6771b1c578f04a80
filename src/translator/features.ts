/**
 * What this engine's WebAssembly can do beyond what the core itself needs, found out by trying.
 */
import { Bytes, Code, Op, SimdOp, Type } from './wasm-writer.ts';

export interface EngineFeatures {
  /**
   * Relaxed SIMD's multiply-add rounds once. It may round twice on some processors (relaxed SIMD
   * proposal, 'Relaxed Multiply-Add'); an engine keeps to one way.
   */
  readonly fusedMultiplyAdd: boolean;
}

let found: EngineFeatures | undefined;

export function engineFeatures(): EngineFeatures {
  found ??= { fusedMultiplyAdd: multiplyAddIsFused() };
  return found;
}

/** Both widths: (1 + e)² - (1 + 2e) is e², and 0 where the product is rounded by itself. */
function multiplyAddIsFused(): boolean {
  return isFused(true, 2 ** -30) && isFused(false, 2 ** -13);
}

function isFused(double: boolean, e: number): boolean {
  const code = new Code().u32(0);
  for (const value of [1 + e, 1 + e, -1 - 2 * e]) {
    code.float(double, value).simd(double ? SimdOp.f64x2_splat : SimdOp.f32x4_splat);
  }
  code.simd(double ? SimdOp.f64x2_relaxed_madd : SimdOp.f32x4_relaxed_madd);
  code.simd(double ? SimdOp.f64x2_extract_lane : SimdOp.f32x4_extract_lane).byte(0);
  code.float(double, e * e).op(double ? Op.f64_eq : Op.f32_eq, Op.end);
  const bytes = new Bytes()
    .byte(0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0)
    .section(1, new Bytes().u32(1).byte(0x60, 0, 1, Type.i32))
    .section(3, new Bytes().u32(1).u32(0))
    .section(7, new Bytes().u32(1).text('f').byte(0).u32(0))
    .section(10, new Bytes().u32(1).u32(code.length).append(code));
  const module = new Uint8Array(bytes.view);
  if (!WebAssembly.validate(module)) return false;
  const { f } = new WebAssembly.Instance(new WebAssembly.Module(module)).exports;
  return typeof f === 'function' && f() === 1;
}
