// Exact floating point for the CPU core: every arithmetic instruction of RISC-V's F and D as a
// function of bit patterns (binary32 in u32, binary64 in u64) and a resolved rounding mode.
// Guarantees results and flags as IEEE 754 and RISC-V define them; flags accumulate in fflags.
// Stateless otherwise: no memory, no allocation. NaN boxing is the caller's.

export { readFflags, writeFflags } from './flags';
export {
  f32_add,
  f32_div,
  f32_mul,
  f32_sqrt,
  f32_sub,
  f64_add,
  f64_div,
  f64_mul,
  f64_sqrt,
  f64_sub,
} from './arithmetic';
export {
  f32_class,
  f32_eq,
  f32_le,
  f32_lt,
  f32_max,
  f32_min,
  f64_class,
  f64_eq,
  f64_le,
  f64_lt,
  f64_max,
  f64_min,
} from './compare';
export {
  f32_to_f64,
  f32_to_i32,
  f32_to_i64,
  f32_to_u32,
  f32_to_u64,
  f64_to_f32,
  f64_to_i32,
  f64_to_i64,
  f64_to_u32,
  f64_to_u64,
  i32_to_f32,
  i32_to_f64,
  i64_to_f32,
  i64_to_f64,
  u32_to_f32,
  u32_to_f64,
  u64_to_f32,
  u64_to_f64,
} from './convert';
export { f32_fma, f64_fma } from './fma';
