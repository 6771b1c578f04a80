/** Machines that nobody needs: idle ones, what suspends them, until when machines are wanted. */
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { useStore } from 'zustand';
import { isLive, type VmView } from '../../hypervisor/vm.ts';
import { expiryOf } from '../../resources/sprawl.ts';
import { startAdmitted } from '../commands.ts';
import { Notice } from '../parts/controls.tsx';
import { fleet } from '../services.ts';
import { Choice } from './choice.tsx';
import { idleFor } from './idle.ts';
import { notificationState, notifications, setNotifications } from './notifications.ts';
import { now } from './service.ts';
import { setExpiry, setSuspendAfter, sprawl, suspend } from './sprawl.ts';
import { ScrollingTable } from './table.tsx';
import { formatSize, formatSpan } from './units.ts';

const AFTER = [5, 15, 30, 60, 240];
const HOUR_MS = 3600_000;
const UNTIL = [
  { title: 'In an hour', ms: HOUR_MS },
  { title: 'In a day', ms: 24 * HOUR_MS },
  { title: 'In a week', ms: 7 * 24 * HOUR_MS },
];

export function Unneeded() {
  const settings = useStore(sprawl);
  const vms = useStore(fleet.store, (state) => state.vms);
  const { wanted } = useStore(notifications);
  const state = notificationState(wanted);
  const [trouble, setTrouble] = useState<string>();
  const act = (work: Promise<void>) => {
    setTrouble(undefined);
    work.catch((error: unknown) => {
      setTrouble(error instanceof Error ? error.message : String(error));
    });
  };
  return (
    <section className="panel" aria-labelledby="host-unneeded">
      <div className="panel-head">
        <h2 id="host-unneeded">Machines and their time</h2>
        <span className="view-bar">
          <label className="muted" htmlFor="suspend-after">
            Suspend idle machines
          </label>
          <Choice
            id="suspend-after"
            value={String(settings.suspendAfter ?? '')}
            onChange={(value) => setSuspendAfter(value === '' ? undefined : Number(value))}
          >
            <option value="">never by itself</option>
            {AFTER.map((minutes) => (
              <option key={minutes} value={minutes}>
                after {formatSpan(minutes * 60)}
              </option>
            ))}
          </Choice>
        </span>
      </div>
      {trouble !== undefined && <Notice tone="error">{trouble}</Notice>}
      {vms.length === 0 ? (
        <p className="muted">There is no machine.</p>
      ) : (
        <ScrollingTable label="Machines and their time">
          <thead>
            <tr>
              <th scope="col">Machine</th>
              <th scope="col">Work</th>
              <th scope="col">Memory held</th>
              <th scope="col">Wanted until</th>
              <th scope="col">
                <span className="sr-only">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {vms.map((vm) => (
              <tr key={vm.id}>
                <th scope="row">{vm.name}</th>
                <td>{workOf(vm)}</td>
                <td>{isLive(vm.status) ? formatSize(vm.figures?.memoryInUse ?? 0) : '–'}</td>
                <td>
                  <Expiry name={vm.name} until={expiryOf(settings, vm.name)} />
                </td>
                <td>
                  {vm.status === 'running' && (
                    <Button
                      className="button"
                      isDisabled={vm.busy || vm.saving}
                      onPress={() => act(suspend(vm.id, 'Suspended to a snapshot.', 'asked'))}
                    >
                      {vm.saving ? 'Saving…' : 'Suspend'}
                    </Button>
                  )}
                  {isSuspended(vm) && (
                    <Button className="button primary" onPress={() => startAdmitted(vm)}>
                      Go on
                    </Button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </ScrollingTable>
      )}
      <div className="view-bar">
        <span className="muted">
          {state === 'missing'
            ? 'This browser shows no notifications.'
            : state === 'denied'
              ? 'Notifications are forbidden for this page in the browser’s settings.'
              : 'Alerts are shown in the page, and as notifications while it is in the background:'}
        </span>
        {(state === 'on' || state === 'off') && (
          <Button className="button" onPress={() => void setNotifications(state === 'off')}>
            {state === 'on' ? 'No notifications' : 'Allow notifications'}
          </Button>
        )}
      </div>
    </section>
  );
}

function workOf(vm: VmView): string {
  if (!isLive(vm.status)) {
    return isSuspended(vm) ? 'Suspended' : 'Off';
  }
  if (vm.status === 'paused') return 'Paused';
  const idle = idleFor(vm.id);
  return idle === undefined ? 'At work' : `Idle for ${formatSpan(idle / 1000)}`;
}

/** A start goes on from a snapshot. */
function isSuspended({ id, status }: VmView): boolean {
  return status === 'off' && fleet.get(id)?.next !== undefined;
}

function Expiry({ name, until }: { name: string; until: number | undefined }) {
  if (until !== undefined) {
    return (
      <span className="view-bar">
        <time dateTime={new Date(until).toISOString()}>
          {new Date(until).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' })}
        </time>
        <Button className="button" onPress={() => setExpiry(name, undefined)}>
          Always
        </Button>
      </span>
    );
  }
  return (
    <Choice
      label={`Until when ${name} is wanted`}
      value=""
      onChange={(value) => setExpiry(name, now() + Number(value))}
    >
      <option value="">always</option>
      {UNTIL.map(({ title, ms }) => (
        <option key={ms} value={ms}>
          {title.toLowerCase()}
        </option>
      ))}
    </Choice>
  );
}
