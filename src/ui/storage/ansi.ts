/**
 * The picture of a console that a snapshot brings, as lines of coloured runs. It comes from a guest or
 * a file: of all escape sequences only colours and blanks have a meaning here, everything else is
 * dropped, and lines and columns are bounded.
 */
export interface Run {
  readonly text: string;
  /** 0 to 15, as terminals number them; undefined: the terminal's own. */
  readonly colour: number | undefined;
  readonly bold: boolean;
}

const LINES_MAXIMUM = 60;
const COLUMNS_MAXIMUM = 240;
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are made of them
const PIECE = /\x1b\[([\d;:?]*)([A-Za-z])|\x1b[^[]|\r?\n|[^\x1b\r\n]+|[\x1b\r]/g;

export function readPicture(picture: string): Run[][] {
  const lines: Run[][] = [[]];
  let colour: number | undefined;
  let bold = false;
  let width = 0;
  const put = (text: string) => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they show nothing
    const clean = text.replace(/[\x00-\x1f\x7f]/g, '').slice(0, COLUMNS_MAXIMUM - width);
    if (clean === '') return;
    width += clean.length;
    lines.at(-1)?.push({ text: clean, colour, bold });
  };
  for (const [piece, parameters = '', final] of picture.matchAll(PIECE)) {
    if (piece === '\n' || piece === '\r\n') {
      lines.push([]);
      width = 0;
    } else if (final === 'm') {
      [colour, bold] = styleOf(parameters, colour, bold);
    } else if (final === 'C') {
      put(' '.repeat(Math.min(Number(parameters) || 1, COLUMNS_MAXIMUM)));
    } else if (!piece.startsWith('\x1b')) put(piece);
  }
  while (lines.length > 1 && lines.at(-1)?.every(({ text }) => text.trim() === '')) lines.pop();
  return lines.slice(-LINES_MAXIMUM);
}

function styleOf(
  parameters: string,
  colour: number | undefined,
  bold: boolean,
): [number | undefined, boolean] {
  const codes = parameters.split(';').map(Number);
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at] ?? 0;
    if (code === 0) [colour, bold] = [undefined, false];
    else if (code === 1) bold = true;
    else if (code === 22) bold = false;
    else if (code >= 30 && code <= 37) colour = code - 30;
    else if (code === 39) colour = undefined;
    else if (code >= 90 && code <= 97) colour = code - 82;
    else if (code === 38 || code === 48) {
      const indexed = codes[at + 1] === 5;
      if (code === 38 && indexed) colour = (codes[at + 2] ?? 16) < 16 ? codes[at + 2] : undefined;
      at += indexed ? 2 : 4;
    }
  }
  return [colour, bold];
}
