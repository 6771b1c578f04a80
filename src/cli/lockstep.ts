/**
 * `tabvisor run --lockstep`: the guest boots twice in this process, interpreted and translated, and
 * everything is compared. Relies on LockstepBoards; guarantees exit code 1 and the place where the
 * tiers went apart when they do, else the guest's own end.
 */

import { RAM_OFFSET } from '../core/layout.ts';
import { disassemble } from '../isa/disassemble.ts';
import type { Board } from '../machine/board.ts';
import { GuestCommand } from '../machine/exec.ts';
import {
  LockstepBoards,
  type LockstepEnd,
  type LockstepOptions,
} from '../machine/lockstep-boards.ts';
import { RAM_BASE } from '../machine/memory-map.ts';
import { ExitCode } from './exit.ts';
import type { End } from './session.ts';

const FETCH = 2;
/** Instructions that are printed from where the tiers go apart. */
const LISTED = 16;

export interface LockstepRun {
  readonly end: End;
  readonly figures: Readonly<Record<string, unknown>>;
}

type Given = Pick<LockstepOptions, 'memory' | 'boot' | 'core' | 'tier' | 'without'> & {
  readonly exec: string | undefined;
};

/** Boots twice and runs the command, or until the guest switches itself off. */
export async function runLockstep({ exec, ...given }: Given): Promise<LockstepRun> {
  let ended: End | undefined;
  const commandFor = (isReference: boolean) =>
    new GuestCommand(new TextEncoder().encode(exec ?? ''), {
      onStdout: (data) => void (isReference && process.stdout.write(data)),
      onStderr: (data) => void (isReference && process.stderr.write(data)),
      onExit: (code) => finish(isReference, { code }),
      onFailure: (message) => finish(isReference, { code: ExitCode.Failed, message }),
      onStdinSpace: () => {},
    });
  const finish = (isReference: boolean, end: End) => {
    if (!isReference) return;
    ended = end;
    boards.stop();
  };
  const commands = { reference: commandFor(true), subject: commandFor(false) };
  const options: LockstepOptions = {
    ...given,
    shared: false,
    ...(exec !== undefined && { ports: (side) => commands[side].ports }),
    onConsole: (data) => void (exec === undefined && process.stdout.write(data)),
    turn: () => new Promise((resolve) => setImmediate(resolve)),
  };
  const boards = new LockstepBoards(options);
  for (const side of ['reference', 'subject'] as const) {
    const { ports } = boards[side].console;
    commands[side].attach((name) => ports.find((port) => port.name === name));
    commands[side].end();
  }
  const result = await boards.run();
  const { instructions, translated, slices, request } = result;
  const figures = {
    instructions,
    translated_instructions: translated,
    slices,
    translator: boards.subject.translator?.stats,
  };
  if (result.difference) {
    const message = describeDifference(result, boards.reference);
    return { end: { code: ExitCode.Failed, message }, figures };
  }
  if (request?.kind === 'crash') ended ??= { code: ExitCode.Failed, message: request.reason };
  const code = request?.kind === 'off' ? (request.exitCode ?? ExitCode.Done) & 0xff : 0;
  return { end: ended ?? { code }, figures };
}

function describeDifference({ difference, instructions }: LockstepEnd, board: Board): string {
  if (!difference) return '';
  const { what, reference, subject, pc, length } = difference;
  const hex = (value: bigint) => `0x${value.toString(16)}`;
  return [
    `The tiers went apart after ${instructions} instructions: ${what} is ${hex(reference)} ` +
      `interpreted and ${hex(subject)} translated.`,
    `The slice of ${length} instructions began at ${hex(pc)}:`,
    ...listing(board, pc),
  ].join('\n');
}

function listing({ core }: Board, from: bigint): string[] {
  const view = new DataView(core.memory.buffer, RAM_OFFSET);
  const lines: string[] = [];
  let pc = from;
  for (let i = 0; i < LISTED; i++) {
    const physical = core.exports.translate(0, pc, FETCH);
    if (physical < BigInt(RAM_BASE)) break;
    const offset = Number(physical) - RAM_BASE;
    const low = view.getUint16(offset, true);
    const word = (low & 3) === 3 ? view.getUint32(offset, true) : low;
    lines.push(`  ${pc.toString(16)}  ${disassemble(word, pc)}`);
    pc += (low & 3) === 3 ? 4n : 2n;
  }
  return lines;
}
