/** An interrupt line that tests look at: its level and how often it rose. */
import type { IrqLine } from '../device.ts';

export class TestLine implements IrqLine {
  level = false;
  rises = 0;

  set(level: boolean): void {
    if (level && !this.level) this.rises++;
    this.level = level;
  }
}

/** `count` lines of their own. */
export function testLines(count: number): TestLine[] {
  return Array.from({ length: count }, () => new TestLine());
}
