/** Machines that were cut off by the end of their page or worker: what each can go on from. */
import { Button } from 'react-aria-components/Button';
import { useStore } from 'zustand';
import { useShallow } from 'zustand/react/shallow';
import type { VmView } from '../../hypervisor/vm.ts';
import { commandById } from '../commands.ts';
import { formatWhen } from '../format.ts';
import { openConsole } from '../navigation.ts';
import { Icon } from '../parts/icon.tsx';
import { fleet } from '../services.ts';
import { restoreSnapshot } from '../storage/actions.ts';

export default function Recovery({ onClose }: { onClose: () => void }) {
  const ids = useStore(
    fleet.store,
    useShallow(({ vms }: { vms: readonly VmView[] }) =>
      vms.filter(({ recovery }) => recovery !== undefined).map(({ id }) => id),
    ),
  );
  const list = useStore(fleet.snapshots, (state) => state.list);
  return (
    <section className="recovery" aria-label="Machines that were cut off">
      <div className="recovery-head">
        <Icon name="warning" />
        <p>
          {ids.length === 1 ? 'A machine was cut off' : `${ids.length} machines were cut off`} when
          the page or its worker ended. What was flushed to disks is there; memory is as of the last
          snapshot.
        </p>
        <Button className="button small" onPress={onClose}>
          Later
        </Button>
      </div>
      <ul>
        {ids.map((id) => {
          const vm = fleet.get(id);
          const record = list.find((one) => one.id === vm?.view.recovery);
          if (vm === undefined) return null;
          const { view } = vm;
          return (
            <li key={id}>
              <span className="recovery-name">
                <strong>{view.name}</strong>
                <span className="muted">
                  {record === undefined
                    ? 'Its last snapshot is not there any more.'
                    : `Last state: “${record.name}”, ${formatWhen(record.time)}.`}
                </span>
              </span>
              <span className="recovery-actions">
                {record !== undefined && (
                  <Button
                    className="button small primary"
                    onPress={() => {
                      openConsole(id);
                      void restoreSnapshot(vm, record, false);
                    }}
                  >
                    Restore last state
                  </Button>
                )}
                <Button
                  className="button small"
                  onPress={() => {
                    openConsole(id);
                    void vm.start();
                  }}
                >
                  Start cold
                </Button>
                <Button className="button small" onPress={() => commandById('delete').run(view)}>
                  Forget…
                </Button>
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
