// What the machine gives to the core: devices and the clock (src/core/core.ts, CoreHost).

// @ts-ignore: decorator
@external('host', 'mmio_load')
export declare function mmio_load(address: u32, size: u32): u32;
// @ts-ignore: decorator
@external('host', 'mmio_load64')
export declare function mmio_load64(address: u32): u64;
// @ts-ignore: decorator
@external('host', 'mmio_store')
export declare function mmio_store(address: u32, size: u32, value: u32): void;
// @ts-ignore: decorator
@external('host', 'mmio_store64')
export declare function mmio_store64(address: u32, value: u64): void;
// @ts-ignore: decorator
@external('host', 'hot')
export declare function hot(ramOffset: u32, offset: u32): void;
// @ts-ignore: decorator
@external('host', 'code_dropped')
export declare function code_dropped(ramOffset: u32): void;
// @ts-ignore: decorator
@external('host', 'first_store')
export declare function first_store(ramOffset: u32): u32;
/** mtime, in ticks of the timebase. */
// @ts-ignore: decorator
@external('host', 'time')
export declare function time(): f64;
