import { describe, expect, it } from 'vitest';
import { vmView } from './testing/vm-view.ts';
import type { VmView } from './vm.ts';
import { changeEvents } from './vm-events.ts';

const off = vmView();

/** The kinds and texts of what is logged on the way through these states. */
function logged(...changes: Partial<VmView>[]): string[] {
  const texts: string[] = [];
  let view = off;
  for (const change of changes) {
    const next = { ...view, ...change };
    texts.push(...changeEvents(view, next).map(({ kind, text }) => `${kind}: ${text}`));
    view = next;
  }
  return texts;
}

describe('events of a VM', () => {
  it('follow it from power-on to power-off, each step once', () => {
    expect(
      logged(
        { status: 'downloading' },
        { download: { loaded: 1, total: 2 } },
        { status: 'starting' },
        { status: 'booting' },
        { bootSeconds: 1.234 },
        { status: 'running' },
        { figures: undefined },
        { status: 'paused' },
        { status: 'running' },
        { status: 'off', reason: 'The guest powered off.' },
      ),
    ).toEqual([
      'started: Switched on.',
      "booted: The guest's shell was up after 1.2 s.",
      'paused: Paused.',
      'resumed: Resumed.',
      'off: The guest powered off.',
    ]);
  });

  it('a crash is an error with its reason; a worker that broke the rules is refused input', () => {
    const running = { ...off, status: 'running' as const };
    const [crash] = changeEvents(running, { ...running, status: 'crashed', reason: 'Panic.' });
    expect(crash).toMatchObject({ vm: '1', name: 'web', kind: 'crashed', level: 'error' });
    const [refused] = changeEvents(running, {
      ...running,
      status: 'crashed',
      reason: 'The VM was stopped: its worker broke the rules of the boundary (x).',
    });
    expect(refused).toMatchObject({ kind: 'refused-input', level: 'error' });
  });

  it('trouble that ends nothing is a warning, and so is silence', () => {
    const running = { status: 'running' as const, bootSeconds: 1 };
    expect(
      logged(running, { reason: 'The disk is full.' }, { silent: true }, { silent: false }),
    ).toEqual([
      "booted: The guest's shell was up after 1.0 s.",
      'guest: The disk is full.',
      'stalled: It has not answered for some seconds.',
      'stalled: It answers again.',
    ]);
  });
});
