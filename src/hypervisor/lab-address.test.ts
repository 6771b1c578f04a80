import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkLab } from '../resources/lab.ts';
import { besideLab, labAddress } from './lab-address.ts';

const PAGE = 'https://host.example/tabvisor/?lab=x#/console';

describe('the address of a lab', () => {
  test.each([
    ['three-shares', 'https://host.example/tabvisor/labs/three-shares.yaml'],
    ['labs/mine.yaml', 'https://host.example/tabvisor/labs/mine.yaml'],
    ['/other/mine.yaml#part', 'https://host.example/other/mine.yaml'],
    ['https://host.example/mine.yaml?v=2', 'https://host.example/mine.yaml?v=2'],
  ])('%s', (given, address) => expect(labAddress(given, PAGE).href).toBe(address));

  test.each([
    ['', /No lab is named/],
    ['  ', /No lab is named/],
    ['https://[', /“https:\/\/\[” is no address of a lab/],
    ['https://elsewhere.example/a.yaml', /from this site alone/],
    ['//elsewhere.example/a.yaml', /from this site alone/],
    ['\\\\elsewhere.example\\a.yaml', /from this site alone/],
    ['http://host.example/a.yaml', /from this site alone/],
    ['https://host.example:444/a.yaml', /from this site alone/],
    ['data:text/yaml,format: 1', /from this site alone/],
    ['javascript:alert(1)', /from this site alone/],
    ['blob:https://host.example/0-1-2', /from this site alone/],
    ['https://me:word@host.example/a.yaml', /no user name or password/],
  ])('%s is refused', (given, sentence) => {
    expect(() => labAddress(given, PAGE)).toThrow(sentence);
  });

  test('a long one is not told whole', () => {
    const refused = () => labAddress(`https://elsewhere.example/${'a'.repeat(5000)}`, PAGE);
    expect(refused).toThrow(/^.{1,250}$/);
  });

  test('whatever is given leads to this site or is refused with a sentence', () => {
    const parts = fc.constantFrom('/', '\\', ':', '@', '.', '%2e', '\t', 'http', 'blob', 'x', '[');
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(parts).map((all) => all.join('')),
    );
    fc.assert(
      fc.property(text, (given) => {
        try {
          expect(labAddress(given, PAGE).origin).toBe('https://host.example');
        } catch (error) {
          expect(String(error)).toMatch(/\.$/);
        }
      }),
    );
  });
});

describe('a file beside a lab', () => {
  const lab = new URL('https://host.example/labs/set/mine.yaml');
  test.each([
    ['motd.txt', 'https://host.example/labs/set/motd.txt'],
    ['files/a b.txt', 'https://host.example/labs/set/files/a%20b.txt'],
    ['./motd.txt', 'https://host.example/labs/set/motd.txt'],
    ['%2e%2e/secret', 'https://host.example/labs/set/%252e%252e/secret'],
    ['\t//elsewhere.example/x', 'https://host.example/labs/set/%09/elsewhere.example/x'],
    ['.\t./secret', 'https://host.example/labs/set/.%09./secret'],
  ])('%s', (path, address) => expect(besideLab(path, lab).href).toBe(address));

  test('none that the check lets pass is outside of its folder', () => {
    const parts = fc.constantFrom(
      '/',
      '.',
      '..',
      '%2e',
      '%2E',
      '\t',
      '\n',
      ' ',
      'x',
      '@',
      '\ud800',
    );
    fc.assert(
      fc.property(fc.array(parts, { minLength: 1 }), (all) => {
        const source = all.join('');
        const files = [{ path: '/x', source }];
        const check = checkLab({ format: 1, name: 'a', vms: { a: { files } } });
        if (check.kind !== 'lab') return;
        expect(besideLab(source, lab).href).toMatch(/^https:\/\/host\.example\/labs\/set\//);
      }),
    );
  });
});
