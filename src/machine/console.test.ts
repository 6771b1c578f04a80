import { describe, expect, it } from 'vitest';
import { ConsoleOutput, PanicWatcher } from './console.ts';

describe('console output', () => {
  it('keeps the order of both sources', () => {
    const seen: string[] = [];
    const output = new ConsoleOutput((data, source) =>
      seen.push(`${source}:${String.fromCharCode(...data)}`),
    );
    output.byte('serial', 97);
    output.byte('serial', 98);
    output.bytes('hvc', Uint8Array.of(99, 100));
    output.byte('serial', 101);
    expect(seen).toEqual(['serial:ab', 'hvc:cd']);
    output.flush();
    output.flush();
    expect(seen).toEqual(['serial:ab', 'hvc:cd', 'serial:e']);
  });

  it('does not gather without bound', () => {
    let bytes = 0;
    const output = new ConsoleOutput((data) => {
      bytes += data.length;
    });
    output.bytes('hvc', new Uint8Array(100_000));
    expect(bytes).toBeGreaterThan(90_000);
    output.flush();
    expect(bytes).toBe(100_000);
  });
});

describe('panic watcher', () => {
  const watch = (text: string) => {
    let ends = 0;
    const watcher = new PanicWatcher(() => ends++);
    for (const character of text) watcher.byte(character.charCodeAt(0));
    return { reason: watcher.reason, ends };
  };

  it('finds the reason, and the end', () => {
    expect(
      watch(
        '[    1.5] Kernel panic - not syncing: VFS: no root\r\n[    1.6] Call Trace:\r\n' +
          '[    1.7] ---[ end Kernel panic - not syncing: VFS: no root ]---\r\n',
      ),
    ).toEqual({ reason: 'VFS: no root', ends: 1 });
    expect(watch('[    1.5][    T1] Kernel panic - not syncing: x\n')).toEqual({
      reason: 'x',
      ends: 0,
    });
  });

  it('is not fooled by words in the middle of a line, nor by endless lines', () => {
    expect(watch('echo Kernel panic - not syncing: no\n').reason).toBeUndefined();
    expect(watch(`${'x'.repeat(1e5)}\n[ 1.0] Kernel panic - not syncing: y\n`).reason).toBe('y');
  });
});
