/** The list of VMs: state, uptime, processor share and memory of each at a glance. */
import { lazy, Suspense, useRef, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { GridList, GridListItem } from 'react-aria-components/GridList';
import { Input } from 'react-aria-components/Input';
import { SearchField } from 'react-aria-components/SearchField';
import { formatMemorySize } from '../../hypervisor/memory-size.ts';
import { isLive, type VmStatus, type VmView } from '../../hypervisor/vm.ts';
import { formatBytes, formatDuration, formatShare } from '../format.ts';
import { isSort, matches, SORTS, sorted } from '../list-filter.ts';
import { openConsole, useSelectedId } from '../navigation.ts';
import { Sparkline, Status } from '../parts/controls.tsx';
import { useUptime, useVm, useVms, type VmSummary } from '../parts/hooks.ts';
import { Icon } from '../parts/icon.tsx';
import { VmMenu } from '../parts/vm-menu.tsx';
import { fleet } from '../services.ts';
import { setUi, useUi } from '../store.ts';

/** Fetched when somebody selects several. */
const BulkBar = lazy(() => import('./bulk-bar.tsx'));
const SelectBox = lazy(() => import('./select-box.tsx'));

export function MachineList() {
  const vms = useVms();
  const current = useSelectedId();
  const shown = useShown(vms);
  const [selecting, setSelecting] = useState(false);
  const [chosen, setChosen] = useState<ReadonlySet<string | number>>(new Set());
  const ids = shown.map(({ id }) => id).filter((id) => chosen.has(id));
  const end = () => {
    setSelecting(false);
    setChosen(new Set());
  };
  return (
    <section className="machines" aria-label="Machines">
      <header className="machines-head">
        <h1>Machines</h1>
        <span className="count">{countSentence(vms)}</span>
        <span className="spacer" />
        {vms.length > 1 && !selecting && (
          <Button className="button small" onPress={() => setSelecting(true)}>
            Select
          </Button>
        )}
      </header>
      {vms.length > 1 && <ListTools hidden={vms.length - shown.length} />}
      {selecting && (
        <Suspense>
          <BulkBar
            ids={ids}
            all={shown.length}
            onAll={() =>
              setChosen(new Set(ids.length === shown.length ? [] : shown.map(({ id }) => id)))
            }
            onEnd={end}
          />
        </Suspense>
      )}
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
        items={shown}
        // Rows are kept for as long as their item is; which one is current is no part of it.
        dependencies={[current, selecting]}
        selectionMode={selecting ? 'multiple' : 'none'}
        selectedKeys={chosen}
        onSelectionChange={(keys) =>
          setChosen(keys === 'all' ? new Set(shown.map(({ id }) => id)) : keys)
        }
        // Keys of the page act on the focused row: letters must not move the focus.
        disallowTypeAhead
        onAction={(key) => openConsole(String(key))}
        renderEmptyState={() => <p className="list-empty muted">No machine matches.</p>}
      >
        {(vm) => (
          <GridListItem
            id={vm.id}
            textValue={`${vm.name}, ${vm.word}`}
            className="machine"
            data-vm={vm.id}
            data-current={vm.id === current || undefined}
            data-selecting={selecting || undefined}
          >
            {selecting && (
              <Suspense>
                <SelectBox />
              </Suspense>
            )}
            <MachineRow id={vm.id} />
          </GridListItem>
        )}
      </GridList>
    </section>
  );
}

/** Those that match the search, in order. While an action for many is under way, rows stay. */
function useShown(vms: readonly VmSummary[]): readonly VmSummary[] {
  const filter = useUi((state) => state.filter);
  const sort = useUi((state) => state.sort);
  const busy = useUi((state) => state.bulkBusy);
  const order = useRef<readonly string[]>([]);
  if (!busy) {
    const views = fleet.all.map(({ view }) => view);
    order.current = sorted(
      views.filter((view) => matches(view, filter)),
      sort,
    ).map(({ id }) => id);
  }
  return order.current.flatMap((id) => vms.find((vm) => vm.id === id) ?? []);
}

function ListTools({ hidden }: { hidden: number }) {
  const filter = useUi((state) => state.filter);
  const sort = useUi((state) => state.sort);
  return (
    <div className="list-tools">
      <SearchField
        className="list-search"
        aria-label="Search machines"
        value={filter}
        onChange={(text) => setUi({ filter: text.slice(0, 200) })}
      >
        <Icon name="search" size={14} />
        <Input placeholder="Search, such as status:running web" />
      </SearchField>
      {filter !== '' && (
        <Button className="button small" onPress={() => setUi({ filter: '' })}>
          Clear{hidden > 0 ? `, ${hidden} hidden` : ''}
        </Button>
      )}
      <select
        className="input list-sort"
        aria-label="Order"
        value={sort}
        onChange={(event) => {
          const { value } = event.currentTarget;
          if (isSort(value)) setUi({ sort: value });
        }}
      >
        {Object.entries(SORTS).map(([id, title]) => (
          <option key={id} value={id}>
            {title}
          </option>
        ))}
      </select>
    </div>
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
  const idle = useUi((state) => state.idle.includes(vm.id));
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
  const words = [...(idle ? ['idle'] : []), ...vm.tags, vm.template.title];
  return <span className="muted ellipsis">{words.join(' · ')}</span>;
}
