/** One snapshot: its picture, what it is, what it takes, and what can be done with it. */
import type { ReactNode } from 'react';
import { Button } from 'react-aria-components/Button';
import { formatMemorySize } from '../../hypervisor/memory-size.ts';
import type { VmView } from '../../hypervisor/vm.ts';
import type { SnapshotRecord } from '../../storage/snapshots/record.ts';
import { formatBytes } from '../format.ts';
import { IconButton } from '../parts/controls.tsx';
import { Icon } from '../parts/icon.tsx';
import { setUi } from '../store.ts';
import { exportVm, verifySnapshot } from './actions.ts';
import { OwnerName } from './owner-name.tsx';
import { Picture } from './picture.tsx';
import { childrenOf, sharedBytes } from './snapshot-tree.ts';

export const KIND_WORDS: Record<SnapshotRecord['kind'], string> = {
  manual: 'manual',
  backup: 'backup',
  template: 'template',
  recovery: 'recovery',
};

export function KindBadge({ kind }: { kind: SnapshotRecord['kind'] }) {
  return (
    <span className="kind-badge" data-kind={kind}>
      {KIND_WORDS[kind]}
    </span>
  );
}

export function SnapshotDetails(props: {
  vm: VmView;
  record: SnapshotRecord;
  list: readonly SnapshotRecord[];
}) {
  const { vm, record, list } = props;
  const children = childrenOf(list, record.id).length;
  const here = vm.current === record.id;
  const parent = list.find(({ id }) => id === record.parent);
  const shared = sharedBytes(list, record);
  const open = (dialog: 'restore' | 'clone' | 'editSnapshot' | 'removeSnapshot') => {
    if (dialog === 'restore') setUi({ dialog: { kind: dialog, vm: vm.id, snapshot: record.id } });
    else if (dialog === 'clone') setUi({ dialog: { kind: dialog, from: record.id } });
    else setUi({ dialog: { kind: dialog, snapshot: record.id } });
  };
  return (
    <section className="details" aria-label={`Snapshot ${record.name}`}>
      <header className="details-head">
        <h4>{record.name}</h4>
        <KindBadge kind={record.kind} />
      </header>
      <Picture picture={record.thumbnail} name={record.name} />
      <div className="details-actions">
        <Button className="button primary" onPress={() => open('restore')}>
          <Icon name="reset" /> Restore…
        </Button>
        <Button className="button" onPress={() => open('clone')}>
          <Icon name="branch" /> Clone from here…
        </Button>
        <span className="icon-group">
          <IconButton icon="edit" label="Name and note…" onPress={() => open('editSnapshot')} />
          <IconButton
            icon="download"
            label="Export as a .tabvm file"
            onPress={() => void exportVm(record.id, `${vm.name}-${record.name}`)}
          />
          <IconButton
            icon="shield"
            label="Check that it is undamaged"
            onPress={() => void verifySnapshot(record)}
          />
          <IconButton icon="trash" label="Delete…" danger onPress={() => open('removeSnapshot')} />
        </span>
      </div>
      {record.note !== '' && <p className="note">{record.note}</p>}
      <dl className="snapshot-facts">
        <Fact name="Taken">{new Date(record.time).toLocaleString()}</Fact>
        <Fact name="Of">
          <OwnerName kept={record.vm} />
        </Fact>
        <Fact name="Goes on from">{parent?.name ?? 'nothing: it is the first'}</Fact>
        <Fact name="Leads to">
          {[here && 'where you are', children > 0 && `${children} more`]
            .filter(Boolean)
            .join(' and ') || 'nothing'}
        </Fact>
        <Fact name="Memory">{formatMemorySize(record.memory)}</Fact>
        <Fact name="Disks">{record.disks.length === 0 ? 'none' : record.disks.length}</Fact>
        <Fact name="Stored for it alone">{formatBytes(record.bytes)}</Fact>
        <Fact name="Shared with earlier ones">
          {shared === 0 ? 'nothing' : `up to ${formatBytes(shared)}`}
        </Fact>
      </dl>
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
