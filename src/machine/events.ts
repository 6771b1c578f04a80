/**
 * What happens in a machine that a log should say and no state does. A guest can cause any of them,
 * as often as it likes: who passes them on bounds them. What the guest's kernel says of trouble is
 * read from its messages on the serial port, which a program in the guest can fake: it is shown as
 * the guest's word.
 */

export type MachineEventKind = 'disk-error' | 'refused-input' | 'memory' | 'guest' | 'stalled';

export interface MachineEvent {
  readonly kind: MachineEventKind;
  readonly level: 'info' | 'warning' | 'error';
  /** A sentence. */
  readonly text: string;
}

/** Words of the kernel that tell of trouble, what they are of, and how bad it is. */
const TROUBLE: readonly [words: RegExp, kind: MachineEventKind, level: 'warning' | 'error'][] = [
  [/\bOut of memory: Killed process \d+ \(([^)]*)\)/, 'memory', 'warning'],
  [/\boom-kill:|\binvoked oom-killer\b/, 'memory', 'warning'],
  [/\bI\/O error, dev \w+/, 'disk-error', 'warning'],
  [/\bEXT4-fs error\b|\bSQUASHFS error\b/, 'disk-error', 'error'],
  [/\bOops\b.*\[#\d+\]|\bBUG: |\bsoft lockup\b|\brcu_\w+ detected stalls?\b/, 'guest', 'error'],
  [/\bhung_task\b|\bblocked for more than \d+ seconds\b/, 'guest', 'warning'],
];
/** The time that printk puts before a message. */
const STAMP = /^\[\s*\d+\.\d+\]\s*/;

/** The event that a line of the kernel's log tells of, if it tells of any. */
export function kernelEvent(line: string): MachineEvent | undefined {
  for (const [words, kind, level] of TROUBLE) {
    const match = words.exec(line);
    if (!match) continue;
    const said = line.replace(STAMP, '').replace(/[^\x20-\x7e]+/g, ' ');
    if (kind === 'memory' && match[1] !== undefined) {
      return {
        kind,
        level,
        text: `The guest had no memory left and ended ${match[1].replace(/[^\x21-\x7e]+/g, '-')}.`,
      };
    }
    // The kill itself follows, with the name of what was killed.
    if (kind === 'memory') return undefined;
    return { kind, level, text: `The guest's kernel says: ${said}` };
  }
  return undefined;
}

/** The host did not run the machine for a while, and says so once it does again. */
export function stallEvent(ms: number): MachineEvent {
  return {
    kind: 'stalled',
    level: 'warning',
    text:
      `The host did not run this machine for ${Math.round(ms / 1000)} s (a page in the background, ` +
      'a computer asleep): the guest went on as after a pause.',
  };
}
