/** Waits until an expectation holds. The limit is for what hangs, not for slow machines. */
import { vi } from 'vitest';

export function eventually(expectation: () => void): Promise<void> {
  return vi.waitFor(expectation, { timeout: 30_000, interval: 20 });
}
