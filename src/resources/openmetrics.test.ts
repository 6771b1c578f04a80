import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toOpenMetrics } from './openmetrics.ts';

describe('OpenMetrics', () => {
  it('is what the specification shows', () => {
    expect(
      toOpenMetrics([
        {
          name: 'tabvisor_vm_cpu_seconds',
          type: 'counter',
          unit: 'seconds',
          help: 'Processor time.',
          samples: [
            { labels: { vm: 'web "1"' }, value: 12.5 },
            { labels: { vm: 'x' }, value: Number.NaN },
          ],
        },
        { name: 'up', type: 'gauge', help: 'Is it?', samples: [{ labels: {}, value: 1 }] },
      ]),
    ).toBe(
      `# TYPE tabvisor_vm_cpu_seconds counter
# UNIT tabvisor_vm_cpu_seconds seconds
# HELP tabvisor_vm_cpu_seconds Processor time.
tabvisor_vm_cpu_seconds_total{vm="web \\"1\\""} 12.5
# TYPE up gauge
# HELP up Is it?
up 1
# EOF
`,
    );
  });

  it('refuses names that would not parse', () => {
    const family = { type: 'gauge' as const, help: '', samples: [] };
    expect(() => toOpenMetrics([{ ...family, name: 'a b' }])).toThrow(/no name of a metric/);
    expect(() => toOpenMetrics([{ ...family, name: 'size', unit: 'bytes' }])).toThrow(/unit/);
    const samples = [{ labels: { 'a-b': '' }, value: 1 }];
    expect(() => toOpenMetrics([{ ...family, name: 'a', samples }])).toThrow(/label/);
  });

  it('whatever a label holds stays within its line and its quotes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.double(), (vm, value) => {
        const text = toOpenMetrics([
          { name: 'a', type: 'gauge', help: 'b', samples: [{ labels: { vm }, value }] },
        ]);
        const lines = text.split('\n').slice(0, -1);
        expect(lines).toHaveLength(Number.isFinite(value) ? 4 : 3);
        if (lines.length < 4) return;
        const quoted = /^a\{vm="((?:[^"\\]|\\[\\n"])*)"\} (.+)$/s.exec(lines[2] ?? '');
        expect(Number(quoted?.[2])).toBe(value + 0);
        const back = quoted?.[1]?.replace(/\\(.)/g, (_, letter) =>
          letter === 'n' ? '\n' : letter,
        );
        expect(back).toBe(vm);
      }),
    );
  });
});
