/** The list of VMs: state, uptime, processor share and memory of each at a glance. */
import { GridList, GridListItem } from 'react-aria-components/GridList';
import { formatMemorySize } from '../../hypervisor/memory-size.ts';
import { isLive, type VmStatus, type VmView } from '../../hypervisor/vm.ts';
import { formatBytes, formatDuration, formatShare } from '../format.ts';
import { openConsole, useSelectedId } from '../navigation.ts';
import { Sparkline, Status } from '../parts/controls.tsx';
import { useUptime, useVm, useVms, type VmSummary } from '../parts/hooks.ts';
import { VmMenu } from '../parts/vm-menu.tsx';

export function MachineList() {
  const vms = useVms();
  const selected = useSelectedId();
  return (
    <section className="machines" aria-label="Machines">
      <header className="machines-head">
        <h1>Machines</h1>
        <span className="count">{countSentence(vms)}</span>
      </header>
      <div className="machine-columns" aria-hidden="true">
        <span>Name</span>
        <span>Uptime</span>
        <span>CPU</span>
        <span>Memory</span>
        <span />
      </div>
      <GridList
        className="machine-list"
        aria-label="Machines"
        items={vms}
        // Rows are kept for as long as their item is; which one is current is no part of it.
        dependencies={[selected]}
        // Keys of the page act on the focused row: letters must not move the focus.
        disallowTypeAhead
        onAction={(key) => openConsole(String(key))}
      >
        {(vm) => (
          <GridListItem
            id={vm.id}
            textValue={`${vm.name}, ${vm.word}`}
            className="machine"
            data-vm={vm.id}
            data-current={vm.id === selected || undefined}
          >
            <MachineRow id={vm.id} />
          </GridListItem>
        )}
      </GridList>
    </section>
  );
}

/** How many there are, and how many of them do what. */
function countSentence(vms: readonly VmSummary[]): string {
  const paused = vms.filter(({ status }) => status === 'paused').length;
  const running = vms.filter(
    ({ status }) => status === 'silent' || (isLive(status) && status !== 'paused'),
  ).length;
  return `${running} of ${vms.length} running${paused > 0 ? `, ${paused} paused` : ''}`;
}

/** States whose detail takes the room of the figures, which are not there. */
const SAYS_MORE: ReadonlySet<VmStatus> = new Set(['downloading', 'crashed', 'failed']);

const MENU_GROUPS = ['machine', 'storage'] as const;

/** A row follows its VM by itself: the list is not rendered again for every figure. */
function MachineRow({ id }: { id: string }) {
  const vm = useVm(id);
  const uptime = useUptime(vm);
  if (vm === undefined) return null;
  const live = isLive(vm.status);
  return (
    <>
      <div className="machine-name">
        <span className="name">{vm.name}</span>
        <span className="machine-state" data-wide={SAYS_MORE.has(vm.status) || undefined}>
          <Status vm={vm} />
          <StateDetail vm={vm} />
        </span>
      </div>
      <div className="machine-uptime">
        <span className="sr-only">Uptime </span>
        {uptime === undefined ? <Absent /> : formatDuration(uptime)}
      </div>
      <div className="machine-cpu">
        <span className="sr-only">CPU </span>
        {live && vm.figures !== undefined ? (
          <>
            <Sparkline values={vm.history} />
            <span className="figure">{formatShare(vm.figures.busy)}</span>
          </>
        ) : (
          <Absent />
        )}
      </div>
      <div className="machine-memory">
        <span className="sr-only">Memory </span>
        {live && vm.figures !== undefined && vm.memory !== undefined ? (
          <>
            <span className="figure">{formatMemorySize(vm.figures.memoryInUse)}</span>
            <span className="muted of"> of {formatMemorySize(vm.memory)}</span>
          </>
        ) : vm.memory !== undefined ? (
          // In use: nothing.
          <>
            <Absent />
            <span className="muted of"> of {formatMemorySize(vm.memory)}</span>
          </>
        ) : (
          <Absent />
        )}
      </div>
      <VmMenu id={vm.id} name={vm.name} groups={MENU_GROUPS} />
    </>
  );
}

function Absent() {
  return (
    <span className="muted">
      <span aria-hidden="true">–</span>
      <span className="sr-only">none</span>
    </span>
  );
}

function StateDetail({ vm }: { vm: VmView }) {
  if (vm.status === 'downloading' && vm.download !== undefined && vm.download.total > 0) {
    return (
      <span className="muted ellipsis">
        {Math.round((vm.download.loaded / vm.download.total) * 100)}% of{' '}
        {formatBytes(vm.download.total)}
      </span>
    );
  }
  if (vm.status === 'crashed' || vm.status === 'failed') {
    return <span className="muted ellipsis">{vm.reason}</span>;
  }
  return <span className="muted ellipsis">{vm.template.title}</span>;
}
