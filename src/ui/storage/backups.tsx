/** Backups of a VM in a line: how often, how many stay, when the next one is due. */
import { useEffect, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { isLive, type VmView } from '../../hypervisor/vm.ts';
import type { SnapshotRecord } from '../../storage/snapshots/record.ts';
import { Icon } from '../parts/icon.tsx';
import { setUi } from '../store.ts';

const LOOK_MS = 15_000;

export function BackupsLine({ vm, list }: { vm: VmView; list: readonly SnapshotRecord[] }) {
  const now = useNow();
  return (
    <span className="backups-line">
      <span className="muted">{backupSentence(vm, list, now)}</span>
      <Button
        className="button small"
        onPress={() => setUi({ dialog: { kind: 'backups', vm: vm.id } })}
      >
        <Icon name="clock" size={14} /> {vm.backups === undefined ? 'Schedule…' : 'Change…'}
      </Button>
    </span>
  );
}

export function backupSentence(
  { backups, keptId, status }: Pick<VmView, 'backups' | 'keptId' | 'status'>,
  list: readonly Pick<SnapshotRecord, 'vm' | 'kind' | 'time'>[],
  now: number,
): string {
  if (backups === undefined) return 'No backups are scheduled.';
  const { everyMinutes, keep } = backups;
  const every = everyMinutes === 1 ? 'every minute' : `every ${everyMinutes} minutes`;
  const policy = `Backup ${every}, the newest ${keep} stay.`;
  if (!isLive(status)) return `${policy} The next one when it runs again.`;
  const last = list.findLast(({ vm, kind }) => vm === keptId && kind === 'backup');
  const due = last === undefined ? now + everyMinutes * 60_000 : last.time + everyMinutes * 60_000;
  const at = new Date(Math.max(due, now)).toLocaleTimeString(undefined, { timeStyle: 'short' });
  return `${policy} Next ${last === undefined ? 'by' : 'at'} ${at}.`;
}

function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), LOOK_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
}
