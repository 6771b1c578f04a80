/**
 * One pass of one side over the rows: boots, runs the script, collects what each row took. A row
 * that fails, hangs, or takes the guest down is noted with its reason, and the rows behind it get a
 * new boot: nothing is dropped, nothing is waited for without end.
 */
import type { BenchGuest } from './image.ts';
import type { Row } from './rows.ts';
import type { Line, Session, Side } from './session.ts';

export interface Measured {
  /** Seconds of one unit, on the guest's clock. */
  readonly seconds: number;
  /** Of what the row printed. */
  readonly digest: string;
  /** Instructions of one unit, where they are counted. */
  readonly instructions?: number;
  /** Seconds that the host saw more than the guest, for all repetitions. */
  readonly clockError: number;
}

export interface Failed {
  readonly failure: string;
}

export interface Pass {
  readonly boot: number | Failed;
  readonly rows: ReadonlyMap<string, Measured | Failed>;
}

export interface PassOptions {
  readonly quick: boolean;
  /** Milliseconds that a row may take, its preparation included. */
  readonly rowTimeoutMs: number;
  readonly bootTimeoutMs: number;
}

/** Boots that a pass makes at most. */
const MAX_BOOTS = 4;

export async function runPass(
  side: Side,
  guest: BenchGuest,
  rows: readonly Row[],
  options: PassOptions,
): Promise<Pass> {
  const results = new Map<string, Measured | Failed>();
  let boot: number | Failed | undefined;
  let left = rows;
  for (let boots = 0; boots === 0 || (left.length > 0 && boots < MAX_BOOTS); boots++) {
    const names = left.map(({ name }) => name);
    const session = side.start(
      guest,
      ['bench', ...(options.quick ? ['-q'] : []), ...names].join(' '),
    );
    try {
      const seconds = await bootOf(session, options.bootTimeoutMs);
      boot ??= seconds;
      if (typeof seconds !== 'number') {
        for (const name of names) results.set(name, { failure: `No boot: ${seconds.failure}` });
        return { boot, rows: results };
      }
      await collect(session, left, options, results);
    } finally {
      await session.close();
    }
    left = left.filter(({ name }) => !results.has(name));
  }
  for (const { name } of left) {
    results.set(name, { failure: `Not reached: ${MAX_BOOTS} boots were spent on rows before it.` });
  }
  return { boot: boot ?? { failure: 'Nothing was booted.' }, rows: results };
}

async function bootOf(session: Session, timeoutMs: number): Promise<number | Failed> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Failed>((resolve) => {
    const failure = `There was no prompt after ${timeoutMs / 1000} s.`;
    timer = setTimeout(() => resolve({ failure }), timeoutMs);
  });
  const failed = (error: unknown): Failed => ({
    failure: error instanceof Error ? error.message : String(error),
  });
  try {
    return await Promise.race([session.booted.catch(failed), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Takes the lines of all rows, or up to the first row that brings no end. */
async function collect(
  session: Session,
  rows: readonly Row[],
  options: PassOptions,
  results: Map<string, Measured | Failed>,
): Promise<void> {
  for (const row of rows) {
    const start = await session.next(options.rowTimeoutMs);
    const end = 'failure' in start ? start : await session.next(options.rowTimeoutMs);
    if ('failure' in start || 'failure' in end) {
      results.set(row.name, 'failure' in start ? start : (end as Failed));
      return;
    }
    results.set(row.name, measure(row, start, end, options.quick));
  }
}

function measure(row: Row, start: Line, end: Line, quick: boolean): Measured | Failed {
  const [, , name, micros = '', status, digest = ''] = end.text.split(' ');
  if (start.text !== `@bench start ${row.name}` || name !== row.name) {
    return { failure: `The guest said "${start.text}" and "${end.text}" instead.` };
  }
  if (status !== '0') return { failure: `The command ended with exit code ${status}.` };
  const total = Number(micros) / 1e6;
  if (!(total > 0)) return { failure: `The guest measured "${micros}" microseconds.` };
  const repetitions = quick ? 1 : row.repetitions;
  const counted =
    start.instructions === undefined || end.instructions === undefined
      ? {}
      : { instructions: Math.round((end.instructions - start.instructions) / repetitions) };
  return {
    seconds: total / repetitions,
    digest,
    ...counted,
    clockError: (end.at - start.at) / 1000 - total,
  };
}
