/** The snapshots of a VM: a tree with “you are here”, and what the selected one is and can do. */
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { isLive, type VmView } from '../../hypervisor/vm.ts';
import type { SnapshotRecord } from '../../storage/snapshots/record.ts';
import { formatBytes, formatWhen, statusWord } from '../format.ts';
import { IconButton, Status } from '../parts/controls.tsx';
import { useVm } from '../parts/hooks.ts';
import { Icon } from '../parts/icon.tsx';
import { setUi } from '../store.ts';
import type { VmViewProps } from '../view-list.ts';
import { BackupsLine } from './backups.tsx';
import { useSnapshots } from './hooks.ts';
import { KindBadge, SnapshotDetails } from './snapshot-details.tsx';
import { HERE, type SnapshotNode, snapshotsOf, snapshotTree } from './snapshot-tree.ts';
import { WithStorage } from './storage-state.tsx';
import { Tree } from './tree.tsx';
import './storage.css';

export default function SnapshotsView({ id }: VmViewProps) {
  const vm = useVm(id);
  const { storage, list } = useSnapshots();
  if (vm === undefined) return null;
  return (
    <div className="storage-view">
      <WithStorage storage={storage}>
        <Snapshots vm={vm} list={list} />
      </WithStorage>
    </div>
  );
}

function Snapshots({ vm, list }: { vm: VmView; list: readonly SnapshotRecord[] }) {
  const own = snapshotsOf(list, vm.keptId, vm.current);
  const [selected, setSelected] = useState(HERE);
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set());
  const rows = snapshotTree(own, vm.current, collapsed);
  // What was selected may be gone, or folded away.
  const shown = rows.some(({ id }) => id === selected) ? selected : (rows[0]?.id ?? HERE);
  const record = own.find(({ id }) => id === shown);
  const take = () => setUi({ dialog: { kind: 'snapshot', vm: vm.id } });

  if (own.length === 0) return <NoSnapshots vm={vm} onTake={take} />;
  return (
    <>
      <div className="view-head">
        <h3>
          Snapshots <span className="count muted">{own.length}</span>
        </h3>
        <BackupsLine vm={vm} list={own} />
        <Button
          className="button primary"
          isDisabled={!isLive(vm.status) || vm.saving}
          onPress={take}
        >
          <Icon name="camera" /> {vm.saving ? 'Taking one…' : 'Take a snapshot'}
        </Button>
      </div>
      <div className="snapshots">
        <Tree
          label={`Snapshots of ${vm.name}`}
          rows={rows}
          selected={shown}
          collapsed={collapsed}
          onSelect={setSelected}
          onCollapse={(id, fold) => {
            const next = new Set(collapsed);
            if (fold) next.add(id);
            else next.delete(id);
            setCollapsed(next);
          }}
          onKey={(key, row) => onKey(key, row, vm)}
        >
          {(row) => (
            <SnapshotRow
              row={row}
              vm={vm}
              folded={collapsed.has(row.id)}
              onFold={(fold) => {
                const next = new Set(collapsed);
                if (fold) next.add(row.id);
                else next.delete(row.id);
                setCollapsed(next);
              }}
            />
          )}
        </Tree>
        {record === undefined ? (
          <Here vm={vm} />
        ) : (
          <SnapshotDetails key={record.id} vm={vm} record={record} list={list} />
        )}
      </div>
    </>
  );
}

/** Keys on a row: what a double click or the buttons beside it do. */
function onKey(key: string, { record }: SnapshotNode, vm: VmView): boolean {
  if (record === undefined) return false;
  if (key === 'Enter') setUi({ dialog: { kind: 'restore', vm: vm.id, snapshot: record.id } });
  else if (key === 'F2') setUi({ dialog: { kind: 'editSnapshot', snapshot: record.id } });
  else if (key === 'Delete') setUi({ dialog: { kind: 'removeSnapshot', snapshot: record.id } });
  else return false;
  return true;
}

function SnapshotRow(props: {
  row: SnapshotNode;
  vm: VmView;
  folded: boolean;
  onFold: (fold: boolean) => void;
}) {
  const { row, vm, folded } = props;
  const { record } = row;
  return (
    <>
      {Array.from({ length: row.column }, (_, column) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: columns have no other name
        <span key={column} className="tree-rail" aria-hidden="true" />
      ))}
      <span className="tree-dot" data-here={record === undefined || undefined} aria-hidden="true" />
      <span className="tree-name">
        {record === undefined ? (
          <>
            <span className="name">You are here</span>
            <span className="muted"> · {statusWord(vm)}</span>
          </>
        ) : (
          <>
            <span className="name ellipsis">{record.name}</span>
            <KindBadge kind={record.kind} />
            {record.vm !== vm.keptId && <span className="kind-badge">of another VM</span>}
          </>
        )}
      </span>
      {record !== undefined && (
        <>
          <span className="tree-when muted">{formatWhen(record.time)}</span>
          <span className="tree-size muted">{formatBytes(record.bytes)}</span>
        </>
      )}
      {row.hasChildren && (
        // Keyboards fold with the arrows; a button inside an item of a tree is not allowed.
        <span
          className="tree-fold"
          aria-hidden="true"
          onClick={(event) => {
            event.stopPropagation();
            props.onFold(!folded);
          }}
        >
          <Icon name={folded ? 'right' : 'down'} size={14} />
        </span>
      )}
    </>
  );
}

function Here({ vm }: { vm: VmView }) {
  return (
    <section className="details" aria-label="You are here">
      <header className="details-head">
        <h4>{vm.name}, now</h4>
        <Status vm={vm} />
      </header>
      <p className="muted">
        {isLive(vm.status)
          ? 'What it did since the last snapshot is only in its memory and on its disks. A snapshot keeps it; the guest stands still for some milliseconds.'
          : 'It is off. A snapshot holds memory and processor of a machine that runs: start it to take one, or select an earlier one to go on from.'}
      </p>
      <div className="details-actions">
        <Button
          className="button"
          isDisabled={!isLive(vm.status) || vm.saving}
          onPress={() => setUi({ dialog: { kind: 'clone', from: vm.id } })}
        >
          <Icon name="branch" /> Clone as it is now…
        </Button>
        <IconButton
          icon="clock"
          label="Backups…"
          text="Backups…"
          onPress={() => setUi({ dialog: { kind: 'backups', vm: vm.id } })}
        />
      </div>
    </section>
  );
}

function NoSnapshots({ vm, onTake }: { vm: VmView; onTake: () => void }) {
  const live = isLive(vm.status);
  return (
    <div className="empty">
      <Icon name="branch" size={28} />
      <p>
        {vm.name} has no snapshots yet.
        <br />
        {live
          ? 'A snapshot keeps its memory, processor and disks as they are now, to come back to.'
          : 'A snapshot keeps a machine that runs: start this one first.'}
      </p>
      <Button className="button primary" isDisabled={!live || vm.saving} onPress={onTake}>
        <Icon name="camera" /> Take a snapshot
      </Button>
      <BackupsLine vm={vm} list={[]} />
    </div>
  );
}
