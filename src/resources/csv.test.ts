import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toCsv } from './csv.ts';

/** Reads RFC 4180: enough to take apart what is written here. */
function parse(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at < text.length) {
    let cell = '';
    if (text[at] === '"') {
      for (at++; ; at++) {
        if (text[at] === '"' && text[at + 1] === '"') at++;
        else if (text[at] === '"') break;
        cell += text[at];
      }
      at++;
    } else while (text[at] !== ',' && text[at] !== '\r') cell += text[at++];
    row.push(cell);
    if (text[at] === ',') at++;
    else {
      at += 2;
      rows.push(row);
      row = [];
    }
  }
  return rows;
}

describe('CSV', () => {
  it('quotes what needs it, leaves gaps empty and disarms formulas', () => {
    expect(
      toCsv(
        ['time', 'a "b", c'],
        [
          [1, null],
          ['=1+1', Number.NaN],
          ['-x', -2.5],
        ],
      ),
    ).toBe('time,"a ""b"", c"\r\n1,\r\n\'=1+1,\r\n\'-x,-2.5\r\n');
  });

  it('whatever text is in a cell comes back from it', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '"', ',', '\r', '\n', '=', ' ') });
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { minLength: 1 }), (rows) => {
        const read = parse(toCsv(['x', 'y'], rows));
        const disarmed = rows.map((cells) =>
          cells.map((cell) => (/^[=\r]/.test(cell) ? `'${cell}` : cell)),
        );
        expect(read).toEqual([['x', 'y'], ...disarmed]);
      }),
    );
  });
});
