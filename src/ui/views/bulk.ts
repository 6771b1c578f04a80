/** One action for many machines: those that need nothing are skipped, and each has its own result. */
import { isLive, isPending, type Vm } from '../../hypervisor/vm.ts';
import { perform } from '../commands.ts';
import { fleet } from '../services.ts';
import { setUi } from '../store.ts';

interface BulkAction {
  readonly title: string;
  /** Why a machine is left out: a sentence; undefined: it is not. */
  skips(vm: Vm): string | undefined;
  /** Resolves with what became of it. */
  run(vm: Vm, signal: AbortSignal): Promise<string>;
}

const live = ({ view }: Vm) => isLive(view.status);

/** An action that tells of its failure in the VM's state. */
async function settled(vm: Vm, action: () => Promise<void>, word: string): Promise<string> {
  await action();
  const { status, reason } = vm.view;
  if (status === 'failed' || status === 'crashed') throw new Error(reason ?? 'It failed.');
  return word;
}

export const BULK_ACTIONS = {
  start: {
    title: 'Start',
    skips: (vm) => (live(vm) || isPending(vm.view.status) ? 'it is on' : undefined),
    run: (vm) => settled(vm, () => vm.start(), 'started'),
  },
  pause: {
    title: 'Pause',
    skips: (vm) =>
      vm.view.status === 'running' || vm.view.status === 'booting' ? undefined : 'it does not run',
    run: (vm) => settled(vm, () => vm.pause(), 'paused'),
  },
  resume: {
    title: 'Resume',
    skips: (vm) => (vm.view.status === 'paused' ? undefined : 'it is not paused'),
    run: (vm) => settled(vm, () => vm.resume(), 'goes on'),
  },
  snapshot: {
    title: 'Snapshot',
    skips: (vm) => (live(vm) ? undefined : 'it does not run'),
    async run(vm, signal) {
      const name = `Of ${new Date().toLocaleString()}`;
      const { pause_ms } = await vm.takeSnapshot({ name, signal });
      return `the guest stood still for ${pause_ms.toFixed(1)} ms`;
    },
  },
  delete: {
    title: 'Delete',
    skips: () => undefined,
    async run(vm) {
      perform(vm.view.id, 'delete');
      return 'deleted';
    },
  },
} as const satisfies Record<string, BulkAction>;

export type BulkName = keyof typeof BULK_ACTIONS;

/** Does it to one after the other; the task's details have the result of each. */
export async function runBulk(name: BulkName, ids: readonly string[]): Promise<void> {
  const action: BulkAction = BULK_ACTIONS[name];
  const count = ids.length === 1 ? 'one machine' : `${ids.length} machines`;
  setUi({ bulkBusy: true });
  let failed = 0;
  await fleet.tasks.run(`${action.title}: ${count}`, {}, async (task) => {
    const results: string[] = [];
    for (const id of ids) {
      task.signal.throwIfAborted();
      const vm = fleet.get(id);
      if (vm === undefined) continue;
      const { name } = vm.view;
      const skipped = action.skips(vm);
      if (skipped !== undefined) results.push(`${name}: left as it is, ${skipped}.`);
      else {
        try {
          results.push(`${name}: ${await action.run(vm, task.signal)}.`);
        } catch (error) {
          failed++;
          results.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
      task.progress(results.length, ids.length, 'items');
      task.says(results.join('\n'));
    }
    if (failed > 0) throw new Error(results.join('\n'));
  });
  setUi((state) => ({ bulkBusy: false, tasksOpen: state.tasksOpen || failed > 0 }));
}
