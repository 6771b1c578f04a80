import { describe, expect, it } from 'vitest';
import type { BenchGuest } from './image.ts';
import { runPass } from './pass.ts';
import type { Row } from './rows.ts';
import { Lines, type Session, type Side } from './session.ts';

const row = (name: string): Row => ({
  name,
  what: name,
  full: 1,
  quick: 1,
  repetitions: 2,
  run: 'true',
});
const guest: BenchGuest = {
  name: 'micro',
  kernel: 'kernel',
  initrd: 'initrd',
  append: '',
  template: 'bench',
};
const options = { quick: false, rowTimeoutMs: 50, bootTimeoutMs: 50 };

/** A side whose guest answers each boot with the next of these scripts. */
function scripted(...boots: (readonly string[] | Error)[]): Side & { commands: string[] } {
  const commands: string[] = [];
  return {
    name: 'node',
    title: 'scripted',
    commands,
    start(_, command): Session {
      commands.push(command);
      const script = boots.shift() ?? [];
      const lines = new Lines();
      if (script instanceof Error) {
        return { booted: Promise.reject(script), next: () => lines.next(0), close: async () => {} };
      }
      for (const [i, text] of script.entries()) {
        if (text.startsWith('!')) lines.fail(text.slice(1));
        else lines.push({ text, at: i * 1000, instructions: i * 100 });
      }
      return {
        booted: Promise.resolve(1.5),
        next: (timeout) => lines.next(timeout),
        close: async () => {},
      };
    },
  };
}

describe('a pass', () => {
  it('measures one unit of each row', async () => {
    const side = scripted([
      '@bench start a',
      '@bench end a 800000 0 1234abcd',
      '@bench start b',
      '@bench end b 1000000 1 1234abcd',
    ]);
    const { boot, rows } = await runPass(side, guest, [row('a'), row('b')], options);
    expect(boot).toBe(1.5);
    expect(side.commands).toEqual(['bench a b']);
    expect(rows.get('a')).toMatchObject({ seconds: 0.4, digest: '1234abcd', instructions: 50 });
    expect(rows.get('b')).toEqual({ failure: 'The command ended with exit code 1.' });
  });

  it('gives the rows behind one that takes the guest down a new boot', async () => {
    const side = scripted(
      ['@bench start a', '@bench end a 1 0 x', '@bench start b', '!The machine is crashed.'],
      ['@bench start c', '@bench end c 1 0 x'],
    );
    const { rows } = await runPass(side, guest, [row('a'), row('b'), row('c')], options);
    expect(side.commands).toEqual(['bench a b c', 'bench c']);
    expect(rows.get('b')).toEqual({ failure: 'The machine is crashed.' });
    expect(rows.get('c')).toMatchObject({ digest: 'x' });
  });

  it('gives up a row that does not end', async () => {
    const { rows } = await runPass(scripted(['@bench start a']), guest, [row('a')], options);
    expect(rows.get('a')).toEqual({ failure: expect.stringContaining('not done') });
  });

  it('reports every row when there is no boot', async () => {
    const side = scripted(new Error('No such program.'));
    const { boot, rows } = await runPass(side, guest, [row('a'), row('b')], options);
    expect(boot).toEqual({ failure: 'No such program.' });
    expect([...rows.keys()]).toEqual(['a', 'b']);
  });

  it('does not believe a guest that measures another row, or nothing', async () => {
    const side = scripted(['@bench start a', '@bench end b 1 0 x']);
    const { rows } = await runPass(side, guest, [row('a')], options);
    expect(rows.get('a')).toEqual({ failure: expect.stringContaining('instead') });
  });
});
