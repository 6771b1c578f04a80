import { describe, expect, test } from 'vitest';
import { parseBootRequest } from './boot-request.ts';

const TEMPLATES = [
  { name: 'micro', title: 'Micro', description: '', manifest: 'micro/manifest.json' },
];
const parse = (query: string) => parseBootRequest(query, TEMPLATES);

describe('an address that boots', () => {
  test.each([
    ['?boot=micro', { template: 'micro', count: 1 }],
    ['?boot=micro:3', { template: 'micro', count: 3 }],
    ['?boot=micro:3&memory=128M', { template: 'micro', count: 3, memory: 128 << 20 }],
    ['?memory=1G&boot=micro', { template: 'micro', count: 1, memory: 1 << 30 }],
    ['?boot=micro&run=uname%20-a', { template: 'micro', count: 1, run: 'uname -a' }],
    ['?boot=micro&run=a%26b%3D%22c%22', { template: 'micro', count: 1, run: 'a&b="c"' }],
    ['?boot=micro&name=+db+&start=no', { template: 'micro', count: 1, name: 'db', start: false }],
    ['?boot=micro&start=yes', { template: 'micro', count: 1 }],
    ['?boot=micro&cold', { template: 'micro', count: 1, cold: true }],
    ['?boot=micro&cold=no', { template: 'micro', count: 1 }],
    ['?boot=micro&utm_source=x&fbclid=1', { template: 'micro', count: 1 }],
  ])('%s', (query, request) => {
    expect(parse(query)).toEqual({ kind: 'request', requests: [request] });
  });

  test('several kinds of VMs: what follows a boot is about its VMs', () => {
    expect(parse('?memory=1G&boot=micro:2&boot=micro&memory=128M&name=db')).toEqual({
      kind: 'request',
      requests: [
        { template: 'micro', count: 2, memory: 1 << 30 },
        { template: 'micro', count: 1, memory: 128 << 20, name: 'db' },
      ],
    });
  });

  test.each(['', '?', '?memory=128M', '?run=ls', '?utm_source=x'])(
    '%j asks for nothing',
    (query) => {
      expect(parse(query)).toEqual({ kind: 'none' });
    },
  );

  test.each([
    ['?bot=micro', /no parameter “bot”: there are boot, name, memory/],
    ['?boot=micro&memroy=1G', /no parameter “memroy”/],
    ['?boot=', /names no template/],
    ['?boot=micro&cold=very', /“cold” stands alone, or is yes or no, not “very”/],
    ['?boot=debian', /no template “debian”/],
    ['?boot=__proto__', /no template “__proto__”/],
    ['?boot=micro:0', /no number of VMs/],
    ['?boot=micro:-1', /no number of VMs/],
    ['?boot=micro:1.5', /no number of VMs/],
    ['?boot=micro:17', /give 1 to 16/],
    ['?boot=micro:2:2', /no number of VMs/],
    ['?boot=micro:', /no number of VMs/],
    ['?boot=micro&memory=', /no size of memory/],
    ['?boot=micro&memory=-5M', /no size of memory/],
    ['?boot=micro&memory=3G', /at most 2 GB/],
    ['?boot=micro&run=%20', /names no command/],
    [`?boot=micro&run=${'x'.repeat(2000)}`, /longer than 1000/],
    ['?boot=micro&memory=1G&memory=2G', /“memory” is given more than once/],
    ['?boot=micro:9&boot=micro:8', /asks for 17 VMs: at most 16/],
    ['?boot=micro&boot=debian', /no template “debian”/],
    ['?boot=micro&name=+', /gives no name/],
    [`?boot=micro&name=${'n'.repeat(41)}`, /longer than 40/],
    ['?boot=micro&start=maybe', /yes or no/],
  ])('%s is refused with a sentence', (query, sentence) => {
    const parsed = parse(query);
    expect(parsed.kind).toBe('problems');
    expect(parsed.kind === 'problems' && parsed.problems.join(' ')).toMatch(sentence);
  });

  test('all problems are told at once, and none repeats a long value in full', () => {
    const parsed = parse(`?boot=${'y'.repeat(500)}:x&memory=z`);
    if (parsed.kind !== 'problems') throw new Error('It was accepted.');
    expect(parsed.problems).toHaveLength(3);
    expect(Math.max(...parsed.problems.map((problem) => problem.length))).toBeLessThan(200);
  });
});
