/**
 * What a change of a VM's view means for the event log. Pure: the fleet calls it for every change,
 * so whatever leads to a state is logged, and in the same words.
 */
import { size } from '../resources/admission.ts';
import type { NewEvent } from '../resources/event-log.ts';
import { CPU_CAP, CPU_WEIGHT, type Limits } from '../resources/limits.ts';
import type { VmStatus, VmView } from './vm.ts';

/** What the reasons of a VM that was stopped for its worker's messages have in common. */
const BROKE_RULES = 'broke the rules';

type Happening = Omit<NewEvent, 'vm' | 'name'>;

export function changeEvents(before: VmView, after: VmView): NewEvent[] {
  const happenings: Happening[] = [];
  if (after.status !== before.status) happenings.push(...statusEvents(before, after));
  else if (after.status !== 'failed' && after.reason !== before.reason) {
    // What goes wrong without ending it: a disk, a command that was refused.
    if (after.reason !== undefined) {
      happenings.push({ kind: 'guest', level: 'warning', text: after.reason });
    }
  }
  if (after.limits !== before.limits) {
    happenings.push({
      kind: 'limit',
      text: `What it may take is now: ${limitWords(after.limits)}.`,
    });
  }
  if (after.silent && !before.silent) {
    happenings.push({
      kind: 'stalled',
      level: 'warning',
      text: 'It has not answered for some seconds.',
    });
  } else if (before.silent && !after.silent && after.status === before.status) {
    happenings.push({ kind: 'stalled', text: 'It answers again.' });
  }
  return happenings.map((happening) => ({ vm: after.id, name: after.name, ...happening }));
}

function limitWords({ cpu, memory, disk, disks = [] }: Limits): string {
  const words = [
    `${cpu?.cap ?? CPU_CAP.default}% of a processor, weight ${cpu?.weight ?? CPU_WEIGHT.default}`,
  ];
  if (memory?.target !== undefined) words.push(`${size(memory.target)} of memory`);
  for (const one of [disk, ...disks]) {
    if (one?.iops !== undefined) words.push(`${one.iops} disk operations a second`);
    if (one?.bandwidth !== undefined) words.push(`${size(one.bandwidth)} of disk data a second`);
  }
  return words.join(', ');
}

const ENDED: ReadonlySet<VmStatus> = new Set(['off', 'crashed', 'failed']);

function statusEvents(before: VmView, after: VmView): Happening[] {
  const { reason } = after;
  switch (after.status) {
    case 'downloading':
      return [{ kind: 'started', text: 'Switched on.' }];
    case 'starting':
      return [];
    case 'booting':
      if (before.status === 'paused') return [{ kind: 'resumed', text: 'Resumed.' }];
      return before.status === 'running'
        ? [{ kind: 'reset', text: 'Starts again from the beginning.' }]
        : [];
    case 'running':
      if (before.status === 'paused') return [{ kind: 'resumed', text: 'Resumed.' }];
      return [booted(after)];
    case 'paused':
      return [{ kind: 'paused', text: 'Paused.' }];
    case 'off':
      // A VM that has never been on is made off.
      return ENDED.has(before.status) ? [] : [{ kind: 'off', text: reason ?? 'Powered off.' }];
    case 'crashed':
    case 'failed':
      return [
        {
          kind: reason?.includes(BROKE_RULES) ? 'refused-input' : 'crashed',
          level: 'error',
          text: reason ?? 'It ended for an unknown reason.',
        },
      ];
  }
}

function booted({ bootSeconds }: VmView): Happening {
  if (bootSeconds === undefined) return { kind: 'booted', text: 'The guest is up.' };
  return {
    kind: 'booted',
    text: `The guest's shell was up after ${bootSeconds.toFixed(1)} s.`,
    data: { seconds: Math.round(bootSeconds * 100) / 100 },
  };
}
