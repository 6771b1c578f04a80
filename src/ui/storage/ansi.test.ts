import { expect, test } from 'vitest';
import { readPicture } from './ansi.ts';

const texts = (picture: string) =>
  readPicture(picture).map((runs) => runs.map((r) => r.text).join(''));

test('a prompt with colours', () => {
  expect(readPicture('\x1b[1;32mroot@micro\x1b[0m:~# ls')).toEqual([
    [
      { text: 'root@micro', colour: 2, bold: true },
      { text: ':~# ls', colour: undefined, bold: false },
    ],
  ]);
});

test('blanks that the cursor jumps over are blanks; other sequences are nothing', () => {
  expect(texts('a\x1b[3Cb\x1b[2J\x1b[?25l\x1b]c\r\nd\x07')).toEqual(['a   bc', 'd']);
});

test('bright and indexed colours, and those of the background, which is not shown', () => {
  const [line] = readPicture('\x1b[91mx\x1b[38;5;12my\x1b[48;5;3mz\x1b[38;2;1;2;3mw');
  expect(line?.map(({ colour }) => colour)).toEqual([9, 12, 12, 12]);
});

test('lines and columns are bounded, and empty ones at the end go', () => {
  expect(readPicture('x\n'.repeat(1000)).length).toBe(60);
  expect(texts('x'.repeat(5000))[0]?.length).toBe(240);
  expect(texts('\x1b[99999999C')).toEqual([' '.repeat(240)]);
  expect(texts('a\n\n  \n')).toEqual(['a']);
});
