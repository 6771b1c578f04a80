/** `tabvisor ps`, `exec`, `logs`, `down` and `update`: what is asked of a lab that is up. */
import { resolve } from 'node:path';
import { UserError } from '../../machine/errors.ts';
import { parseLab } from './arguments.ts';
import { type ControlCommand, control } from './control.ts';

export type LabCommand = ControlCommand['command'];

export function askLab(command: LabCommand, words: readonly string[]): Promise<number> {
  const { name, words: rest, batch } = parseLab(words);
  return control(name, commandOf(command, rest, batch));
}

function commandOf(
  command: LabCommand,
  words: readonly string[],
  batch: number | undefined,
): ControlCommand {
  const [first, second] = words;
  if (command === 'exec' && words.length === 2)
    return { command, vm: first ?? '', text: second ?? '' };
  if (command === 'update' && words.length === 1)
    return { command, file: resolve(first ?? ''), ...(batch !== undefined && { batch }) };
  if (command === 'logs' && words.length <= 1)
    return { command, ...(first !== undefined && { vm: first }) };
  if ((command === 'ps' || command === 'down') && words.length === 0) return { command };
  throw new UserError(`Write it as "tabvisor ${USAGE[command]}".`);
}

const USAGE: Record<LabCommand, string> = {
  ps: 'ps [--name LAB]',
  exec: 'exec [--name LAB] VM COMMAND',
  logs: 'logs [--name LAB] [VM]',
  down: 'down [--name LAB]',
  update: 'update [--name LAB] [--batch N] FILE',
};
