import { describe, expect, it } from 'vitest';
import { UserError } from './errors.ts';
import { parseCatalogue, parseManifest } from './manifest.ts';

const file = { file: 'kernel', size: 5, sha256: 'a'.repeat(64) };
const good = {
  format: 1,
  name: 'micro',
  title: 'Micro',
  description: 'Small.',
  kernel: { ...file, gz: { ...file, file: 'kernel.gz' } },
  append: 'console=ttyS0',
  memory: { default: 2 ** 28, minimum: 2 ** 27 },
  packages: { busybox: '1:1.37' },
};

const read = (changes: object) => parseManifest(JSON.stringify({ ...good, ...changes }), 'm.json');

describe('manifest', () => {
  it('reads what fits', () => {
    expect(read({})).toEqual(good);
    expect(read({ packages: undefined, initrd: file }).packages).toEqual({});
  });

  it.each([
    ['another format', { format: 2 }, /format/],
    ['a path upwards', { kernel: { ...file, file: '../kernel' } }, /kernel\.file/],
    ['a hidden part', { kernel: { ...file, file: 'a/.b' } }, /kernel\.file/],
    ['an absolute path', { kernel: { ...file, file: '/etc/passwd' } }, /kernel\.file/],
    ['an address', { kernel: { ...file, file: 'https://x/y' } }, /kernel\.file/],
    ['a short hash', { kernel: { ...file, sha256: 'ab' } }, /kernel\.sha256/],
    ['a size that is no number', { kernel: { ...file, size: '5' } }, /kernel\.size/],
    ['a size without end', { kernel: { ...file, size: 1e300 } }, /kernel\.size/],
    ['a line break in the command line', { append: 'a\nb' }, /append/],
    ['a default below the minimum', { memory: { default: 1, minimum: 2 } }, /memory/],
    ['a name with a slash', { name: 'a/b' }, /name/],
  ])('refuses %s', (_name, changes, sentence) => {
    expect(() => read(changes)).toThrow(UserError);
    expect(() => read(changes)).toThrow(sentence);
  });

  it('does not let a key of the prototype through', () => {
    const text = JSON.stringify(good).replace('"busybox"', '"__proto__"');
    const { packages } = parseManifest(text, 'm.json');
    expect(Object.keys(packages)).toEqual([]);
    expect(Object.getPrototypeOf(packages)).toBe(Object.prototype);
  });

  it('says what is no JSON', () => {
    expect(() => parseManifest('{', 'm.json')).toThrow(/m\.json is not JSON/);
    expect(() => parseManifest(' '.repeat(2 ** 21), 'm.json')).toThrow(/no manifest/);
  });

  it('reads the list of templates', () => {
    const entry = { name: 'micro', title: 'M', description: 'd', manifest: 'micro/manifest.json' };
    const text = JSON.stringify({ format: 1, templates: [entry] });
    expect(parseCatalogue(text, 'index.json').templates).toEqual([entry]);
    expect(() => parseCatalogue('[]', 'index.json')).toThrow(UserError);
  });
});
