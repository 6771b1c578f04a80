/** The disks of a VM: what each is, what it takes, what goes through it, and its image out. */
import { useSyncExternalStore } from 'react';
import { Button } from 'react-aria-components/Button';
import { formatMemorySize } from '../../hypervisor/memory-size.ts';
import type { DiskListing, DiskRequest } from '../../hypervisor/storage/api.ts';
import { isLive, type VmView } from '../../hypervisor/vm.ts';
import type { DiskFigures } from '../../worker/figures.ts';
import { formatBytes, formatWhen } from '../format.ts';
import { useVm } from '../parts/hooks.ts';
import { Icon } from '../parts/icon.tsx';
import { fleet } from '../services.ts';
import { setUi } from '../store.ts';
import type { VmViewProps } from '../view-list.ts';
import { exportDisk } from './actions.ts';
import { useDisks } from './hooks.ts';
import './storage.css';

const KIND_SENTENCES = {
  persistent: 'Kept in this browser: it outlives power-offs, reloads and this tab.',
  scratch: 'Gone when the VM is off.',
} as const;

export default function DisksView({ id }: VmViewProps) {
  const vm = useVm(id);
  const specification = fleet.get(id)?.specification;
  if (vm === undefined || specification === undefined) return null;
  const disks = specification.disks ?? [];
  const inMemory = specification.disk;
  const live = isLive(vm.status);
  if (disks.length === 0 && inMemory === undefined) {
    return (
      <div className="storage-view">
        <div className="empty">
          <Icon name="disk" size={28} />
          <p>
            {vm.name} has no disks: what it writes is in its memory.
            <br />A disk is chosen when a VM is made.
          </p>
          <Button
            className="button primary"
            onPress={() => setUi({ dialog: { kind: 'new', template: vm.template.name } })}
          >
            <Icon name="plus" /> New VM with a disk…
          </Button>
        </div>
      </div>
    );
  }
  return (
    <div className="storage-view">
      <div className="view-head">
        <h3>Disks</h3>
      </div>
      <div className="view-section">
        {disks.length > 0 && <StoredDisks vm={vm} disks={disks} />}
        {inMemory !== undefined && (
          <article className="disk-card" aria-label="Disk in memory">
            <header className="disk-head">
              <Icon name="disk" />
              <h4>{formatMemorySize(inMemory)} in memory</h4>
              <span className="kind-badge" data-kind="scratch">
                scratch
              </span>
            </header>
            <p className="muted">
              In this browser’s memory, gone when the VM is off. Snapshots cannot hold it.
            </p>
            {live && <Traffic figures={vm.figures?.disks[disks.length]} />}
          </article>
        )}
        <Trouble vm={vm} />
      </div>
    </div>
  );
}

function StoredDisks({ vm, disks }: { vm: VmView; disks: readonly DiskRequest[] }) {
  const { disks: stored, failure } = useDisks();
  return (
    <>
      {failure !== undefined && (
        <p className="error-line" role="alert">
          {failure}
        </p>
      )}
      {disks.map((disk, index) => (
        <StoredDisk
          key={disk.id}
          vm={vm}
          disk={disk}
          index={index}
          stored={stored?.find(({ id }) => id === disk.id)}
          known={stored !== undefined}
        />
      ))}
    </>
  );
}

function StoredDisk(props: {
  vm: VmView;
  disk: DiskRequest;
  index: number;
  stored: DiskListing | undefined;
  known: boolean;
}) {
  const { vm, disk, index, stored, known } = props;
  const live = isLive(vm.status);
  const size = stored?.size ?? disk.size;
  const device = `/dev/vd${String.fromCharCode(97 + index)}`;
  const title = `${vm.name}-${device.slice(5)}`;
  return (
    <article className="disk-card" aria-label={`Disk ${device}`}>
      <header className="disk-head">
        <Icon name="disk" />
        <h4>{device}</h4>
        <span className="kind-badge" data-kind={disk.kind}>
          {disk.kind}
        </span>
        {disk.image !== undefined && <span className="kind-badge">from an image</span>}
        <div className="disk-actions">
          <Button
            className="button small"
            isDisabled={live || stored === undefined}
            onPress={() => void exportDisk(disk.id, title)}
          >
            <Icon name="download" size={14} /> Export as a raw image
          </Button>
        </div>
      </header>
      {stored !== undefined && size !== undefined && size > 0 && (
        <span className="meter" aria-hidden="true">
          <span style={{ inlineSize: `${Math.min(100, (stored.stored / size) * 100)}%` }} />
        </span>
      )}
      <p className="disk-facts">
        {size !== undefined && <span>{formatMemorySize(size)}</span>}
        {stored !== undefined && <span>{formatBytes(stored.stored)} stored</span>}
        {known && stored === undefined && <span>Made when the VM starts.</span>}
        <span>{flushState(vm, stored)}</span>
        <span>{KIND_SENTENCES[disk.kind]}</span>
      </p>
      {live && <Traffic figures={vm.figures?.disks[index]} />}
      {live && (
        <p className="hint">
          Its image can be exported when {vm.name} is off. What the guest discards (fstrim) is given
          back at once.
        </p>
      )}
    </article>
  );
}

function flushState({ figures, status }: VmView, stored: DiskListing | undefined): string {
  if (stored === undefined) return '';
  if (!stored.inUse) return 'All of it is written.';
  if (!isLive(status) || figures === undefined) return 'Open.';
  return 'Open: what the guest has flushed is durable.';
}

function Traffic({ figures }: { figures: DiskFigures | undefined }) {
  if (figures === undefined) return null;
  return (
    <p className="disk-facts">
      <span>
        Reads {formatBytes(figures.readBytes)}/s, {Math.round(figures.reads)} a second
      </span>
      <span>
        Writes {formatBytes(figures.writtenBytes)}/s, {Math.round(figures.writes)} a second
      </span>
      <span>{Math.round(figures.flushes)} flushes a second</span>
      <span>
        Answers after {figures.latency.toFixed(1)} ms, at worst {figures.worstLatency.toFixed(0)} ms
      </span>
      <span className={figures.errors > 0 ? 'error-line' : undefined}>
        {figures.errors === 0 ? 'No errors' : `${figures.errors} requests failed`}
      </span>
    </p>
  );
}

/** What went wrong with the VM's disks, the latest first. */
function Trouble({ vm }: { vm: VmView }) {
  const events = useSyncExternalStore(
    (changed) => fleet.events.subscribe(changed),
    () => fleet.events.events,
  );
  const errors = events.filter((event) => event.vm === vm.id && event.kind === 'disk-error');
  if (errors.length === 0) return null;
  return (
    <section aria-label="Disk errors">
      <h3>Errors</h3>
      <ul>
        {errors
          .slice(-10)
          .toReversed()
          .map((event) => (
            <li key={event.sequence} className="error-line">
              {formatWhen(event.time)}: {event.text}
            </li>
          ))}
      </ul>
    </section>
  );
}
