// What other threads may read or write too: atomic in the build for shared memory, ordinary in the
// build for plain memory, which no other thread can see and which then runs on engines without
// threads. All give the old value.

// @ts-ignore: decorator
@inline
export function loadShared<T>(at: usize): T {
  if (ASC_FEATURE_THREADS) return atomic.load<T>(at);
  return load<T>(at);
}

// @ts-ignore: decorator
@inline
export function compareExchange<T>(at: usize, expected: T, value: T): T {
  if (ASC_FEATURE_THREADS) return atomic.cmpxchg<T>(at, expected, value);
  const old = load<T>(at);
  if (old == expected) store<T>(at, value);
  return old;
}

// @ts-ignore: decorator
@inline
export function exchange<T>(at: usize, value: T): T {
  if (ASC_FEATURE_THREADS) return atomic.xchg<T>(at, value);
  const old = load<T>(at);
  store<T>(at, value);
  return old;
}

// @ts-ignore: decorator
@inline
export function fetchAdd<T>(at: usize, value: T): T {
  if (ASC_FEATURE_THREADS) return atomic.add<T>(at, value);
  const old = load<T>(at);
  store<T>(at, old + value);
  return old;
}

// @ts-ignore: decorator
@inline
export function fetchXor<T>(at: usize, value: T): T {
  if (ASC_FEATURE_THREADS) return atomic.xor<T>(at, value);
  const old = load<T>(at);
  store<T>(at, old ^ value);
  return old;
}

// @ts-ignore: decorator
@inline
export function fetchAnd<T>(at: usize, value: T): T {
  if (ASC_FEATURE_THREADS) return atomic.and<T>(at, value);
  const old = load<T>(at);
  store<T>(at, old & value);
  return old;
}

// @ts-ignore: decorator
@inline
export function fetchOr<T>(at: usize, value: T): T {
  if (ASC_FEATURE_THREADS) return atomic.or<T>(at, value);
  const old = load<T>(at);
  store<T>(at, old | value);
  return old;
}
