/** The arguments of `npm run bench -- storage`, checked like those of the bench itself. */
import { listed, parseWords } from '../arguments.ts';

export const PARTS = ['disk', 'work', 'snapshots', 'start'] as const;
export type Part = (typeof PARTS)[number];

export interface StorageArguments {
  readonly parts: readonly Part[];
  readonly rounds: number;
  readonly quick: boolean;
  readonly json?: string | undefined;
  readonly help: boolean;
}

export const HELP = `Usage: npm run bench -- storage [OPTION]...
Measures what storage does, beside QEMU 10 with a raw file where that has the like.
  --parts A,B,…  only these: disk (throughput and flushes), work (python3, gcc and git in debian),
                 snapshots (at 128, 512 and 1024 MB), start (from the address to the prompt)
  --json FILE    the figures as JSON
  --rounds N     of which the median counts (3)
  --quick        tiny amounts, one round: shows that everything runs, measures nothing
`;

export function parseStorageArguments(words: readonly string[]): StorageArguments {
  const { text, common } = parseWords(words, ['parts'], 'npm run bench -- storage');
  return { parts: listed(text('parts'), 'parts', PARTS), ...common };
}
