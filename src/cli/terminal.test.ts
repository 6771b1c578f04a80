import { describe, expect, it } from 'vitest';
import { EscapeKeys } from './terminal.ts';

function typed(...chunks: string[]): string {
  let log = '';
  const keys = new EscapeKeys({
    send: (data) => {
      log += JSON.stringify(String.fromCharCode(...data));
    },
    end: () => {
      log += '<end>';
    },
    help: () => {
      log += '<help>';
    },
  });
  for (const chunk of chunks) keys.feed(Uint8Array.from(chunk, (c) => c.charCodeAt(0)));
  return log;
}

describe('escape key', () => {
  it('passes everything else on, also Ctrl-C', () => {
    expect(typed('ls\r\x03\xff')).toBe(JSON.stringify('ls\r\x03\xff'));
  });

  it('ends on Ctrl-A X, in any case, with or without Ctrl, and over two reads', () => {
    for (const x of ['x', 'X', '\x18']) expect(typed(`a\x01${x}b`)).toBe('"a"<end>');
    expect(typed('\x01', 'x')).toBe('<end>');
  });

  it('helps on Ctrl-A H and ?', () => {
    expect(typed('\x01hz')).toBe('<help>"z"');
    expect(typed('\x01?')).toBe('<help>');
  });

  it('sends Ctrl-A on Ctrl-A A, and swallows unknown keys', () => {
    expect(typed('\x01a')).toBe('"\\u0001"');
    expect(typed('\x01\x01')).toBe('"\\u0001"');
    expect(typed('\x01qb')).toBe('"b"');
  });
});
