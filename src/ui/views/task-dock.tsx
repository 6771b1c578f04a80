/** The log of tasks at the bottom: what is under way, and how the last of it ended. */
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { ProgressBar } from 'react-aria-components/ProgressBar';
import { useStore } from 'zustand';
import type { TaskProgress, TaskView } from '../../hypervisor/tasks.ts';
import { formatBytes, formatDuration } from '../format.ts';
import { useVms } from '../parts/hooks.ts';
import { Icon, type IconName } from '../parts/icon.tsx';
import { fleet } from '../services.ts';
import { setUi, useUi } from '../store.ts';

const STATES: Record<TaskView['state'], { word: string; icon: IconName }> = {
  running: { word: 'Under way', icon: 'clock' },
  done: { word: 'Done', icon: 'check' },
  failed: { word: 'Failed', icon: 'warning' },
  cancelled: { word: 'Cancelled', icon: 'close' },
};

export function TaskDock() {
  const tasks = useStore(fleet.tasks.store, (state) => state.tasks);
  const open = useUi((state) => state.tasksOpen);
  const latest = tasks.findLast(({ state }) => state === 'running') ?? tasks.at(-1);
  if (latest === undefined) return null;
  const running = tasks.filter(({ state }) => state === 'running').length;
  return (
    <section className="task-dock" aria-label="Tasks">
      <div className="task-dock-bar">
        <Button
          className="task-dock-toggle"
          aria-expanded={open}
          onPress={() => setUi({ tasksOpen: !open })}
        >
          <Icon name={open ? 'down' : 'up'} />
          <span className="task-dock-title">Tasks</span>
          <span className="muted">{running > 0 ? `${running} under way` : 'none under way'}</span>
        </Button>
        {!open && (
          <div className="task-dock-latest" role="status">
            <TaskState task={latest} />
            <span className="ellipsis">
              {latest.title}
              {latest.text !== undefined && <span className="muted"> · {latest.text}</span>}
            </span>
            {latest.state === 'running' && <Progress task={latest} />}
          </div>
        )}
        {open && (
          <Button className="button small" onPress={() => fleet.tasks.clear()}>
            Clear what has ended
          </Button>
        )}
      </div>
      {open && (
        <ul className="task-list" aria-label="Tasks, latest first">
          {tasks.toReversed().map((task) => (
            <TaskRow key={task.id} task={task} />
          ))}
        </ul>
      )}
    </section>
  );
}

function TaskRow({ task }: { task: TaskView }) {
  const [details, setDetails] = useState(task.state === 'failed');
  const vm = useVms().find(({ id }) => id === task.vm);
  const running = task.state === 'running';
  return (
    <li className="task" data-state={task.state}>
      <div className="task-line">
        <TaskState task={task} />
        <Button className="task-title" aria-expanded={details} onPress={() => setDetails(!details)}>
          <span className="ellipsis">{task.title}</span>
        </Button>
        {running && <Progress task={task} />}
        {running && (
          <Button
            className="button small"
            isDisabled={task.stopping}
            onPress={() => fleet.tasks.cancel(task.id)}
          >
            {task.stopping ? 'Stopping…' : 'Abort'}
          </Button>
        )}
        <span className="muted task-time">{timeOf(task.ended ?? task.started)}</span>
      </div>
      {(details || task.state === 'failed') && (
        <p className="task-details">
          {task.text ?? (running ? 'It is under way.' : 'It is done.')} {task.next}
          <span className="muted">
            {' '}
            {vm !== undefined && `Of ${vm.name}. `}
            Begun at {timeOf(task.started)}
            {task.ended !== undefined && `, took ${took(task.ended - task.started)}`}.
          </span>
        </p>
      )}
    </li>
  );
}

function TaskState({ task }: { task: TaskView }) {
  const { word, icon } = STATES[task.state];
  return (
    <span className="task-state" data-state={task.state}>
      <Icon name={icon} size={14} />
      <span className="sr-only">{word}: </span>
    </span>
  );
}

function Progress({ task }: { task: TaskView }) {
  const { progress } = task;
  const share =
    progress !== undefined && progress.total > 0 ? progress.done / progress.total : undefined;
  const text = progress === undefined ? '' : progressText(progress);
  return (
    <span className="task-progress">
      <ProgressBar
        aria-label={task.title}
        className="task-bar"
        valueLabel={text}
        isIndeterminate={share === undefined}
        value={(share ?? 0) * 100}
      >
        <span
          data-unknown={share === undefined || undefined}
          style={{ inlineSize: `${(share ?? 1) * 100}%` }}
        />
      </ProgressBar>
      <span className="muted task-amount">{text}</span>
    </span>
  );
}

function progressText({ done, total, unit }: TaskProgress): string {
  if (unit === 'percent') return `${Math.round(done)}%`;
  if (unit === 'items') return total > 0 ? `${done} of ${total}` : String(done);
  return total > 0 ? `${formatBytes(done)} of ${formatBytes(total)}` : formatBytes(done);
}

function timeOf(time: number): string {
  return new Date(time).toLocaleTimeString(undefined, { timeStyle: 'medium' });
}

function took(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : formatDuration(ms / 1000);
}
