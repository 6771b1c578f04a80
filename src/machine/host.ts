/**
 * What a machine needs from where it runs. Everything that differs between a browser's worker and
 * Node, and everything that would make two runs differ, comes in through here.
 */

export interface MachineHost {
  /** Milliseconds on a clock that never goes back, with fractions. */
  now(): number;
  /** Milliseconds since 1970. */
  wallClock(): number;
  /** Fills `into`, which may be a view of shared memory, with random bytes. */
  entropy(into: Uint8Array): void;
  /**
   * Gives the event loop its turn. It may take longer: that is how a host whose console cannot keep
   * up slows a guest down.
   */
  turn(): Promise<void>;
  /** Resolves after `ms`, or when woken. */
  sleep(ms: number): Sleep;
}

export interface Sleep {
  readonly done: Promise<void>;
  wake(): void;
}

export interface Disposable {
  dispose(): void;
}

/** Listeners of one event. One that throws does not keep the others from hearing it. */
export class Listeners<Args extends readonly unknown[]> {
  readonly #listeners = new Set<(...args: Args) => void>();

  add(listener: (...args: Args) => void): Disposable {
    // Wrapped, so that the same function may be added twice and disposed one at a time.
    const entry = (...args: Args) => listener(...args);
    this.#listeners.add(entry);
    return { dispose: () => this.#listeners.delete(entry) };
  }

  emit(...args: Args): void {
    let failure: { error: unknown } | undefined;
    for (const listener of [...this.#listeners]) {
      try {
        listener(...args);
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure) throw failure.error;
  }

  clear(): void {
    this.#listeners.clear();
  }
}
