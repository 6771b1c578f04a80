/**
 * Long work that a person watches: snapshots, copies, builds. Each task is listed with its progress
 * from its first moment and ends as done, failed or cancelled, always; one that does not answer to
 * being cancelled is given up after a while. Relies on a clock that is handed in; guarantees a bounded
 * list, and that `run` never rejects: what went wrong is the task's sentence.
 */
import { createStore, type StoreApi } from 'zustand/vanilla';

export type TaskState = 'running' | 'done' | 'failed' | 'cancelled';
/** What progress counts. */
export type TaskUnit = 'bytes' | 'items' | 'percent';

export interface TaskProgress {
  readonly done: number;
  /** 0: not known. */
  readonly total: number;
  readonly unit: TaskUnit;
}

export interface TaskView {
  readonly id: number;
  readonly title: string;
  /** Id of the VM that it is about. */
  readonly vm: string | undefined;
  readonly state: TaskState;
  /** It has been asked to stop and has not yet. */
  readonly stopping: boolean;
  readonly progress: TaskProgress | undefined;
  /** What it does now, or how it ended: a sentence. */
  readonly text: string | undefined;
  /** What to do about its failure: a sentence. */
  readonly next: string | undefined;
  /** Milliseconds since 1970. */
  readonly started: number;
  readonly ended: number | undefined;
}

/** What the work of a task may say. */
export interface Task {
  readonly signal: AbortSignal;
  progress(done: number, total: number, unit?: TaskUnit): void;
  /** What it does now; the last is how it ended. */
  says(text: string): void;
}

export interface TaskOptions {
  readonly vm?: string | undefined;
  /** What to do when it fails. */
  readonly next?: string | undefined;
}

/** Tasks that are remembered; those that run are never forgotten. */
export const TASKS_MAXIMUM = 100;
/** Progress is told at most this often, in milliseconds. */
const PROGRESS_MS = 100;
/** A task that was cancelled has this long to end, in milliseconds. */
export const CANCEL_MS = 10_000;

export class Tasks {
  readonly store: StoreApi<{ readonly tasks: readonly TaskView[] }> = createStore<{
    readonly tasks: readonly TaskView[];
  }>(() => ({ tasks: [] }));
  readonly #aborts = new Map<number, AbortController>();
  #nextId = 1;

  /** `ended` hears of each task that has ended. */
  constructor(
    private readonly ended: (task: TaskView) => void = () => {},
    private readonly now: () => number = () => Date.now(),
  ) {}

  /** Does the work as a task; resolves with its result, or with undefined when there is none. */
  async run<T>(
    title: string,
    options: TaskOptions,
    work: (task: Task) => Promise<T>,
  ): Promise<T | undefined> {
    const id = this.#nextId++;
    const abort = new AbortController();
    this.#aborts.set(id, abort);
    this.#add({
      id,
      title,
      vm: options.vm,
      state: 'running',
      stopping: false,
      progress: undefined,
      text: undefined,
      next: undefined,
      started: this.now(),
      ended: undefined,
    });
    let told = Number.NEGATIVE_INFINITY;
    const task: Task = {
      signal: abort.signal,
      progress: (done, total, unit = 'bytes') => {
        const now = this.now();
        if (now - told < PROGRESS_MS && done < total) return;
        told = now;
        this.#change(id, { progress: { done, total, unit } });
      },
      says: (text) => this.#change(id, { text }),
    };
    try {
      const result = await work(task);
      this.#end(id, { state: 'done' });
      return result;
    } catch (error) {
      if (abort.signal.aborted) this.#end(id, { state: 'cancelled', text: 'Cancelled.' });
      else {
        const text = error instanceof Error ? error.message : String(error);
        this.#end(id, { state: 'failed', text, next: options.next });
      }
      return undefined;
    }
  }

  /** Asks a task to stop; it ends as cancelled, at the latest after `CANCEL_MS`. */
  cancel(id: number): void {
    const abort = this.#aborts.get(id);
    if (abort === undefined || abort.signal.aborted) return;
    this.#change(id, { stopping: true });
    abort.abort(new DOMException('It was cancelled.', 'AbortError'));
    setTimeout(
      () =>
        this.#end(id, {
          state: 'cancelled',
          text: 'Cancelled, although it has not answered: part of it may still be under way.',
        }),
      CANCEL_MS,
    );
  }

  /** Forgets the tasks that have ended. */
  clear(): void {
    this.store.setState(({ tasks }) => ({
      tasks: tasks.filter(({ state }) => state === 'running'),
    }));
  }

  #add(task: TaskView): void {
    this.store.setState(({ tasks }) => {
      let spare = tasks.length + 1 - TASKS_MAXIMUM;
      const kept = tasks.filter(({ state }) => state === 'running' || spare-- <= 0);
      return { tasks: [...kept, task] };
    });
  }

  #end(id: number, change: Pick<TaskView, 'state'> & Partial<TaskView>): void {
    if (!this.#aborts.delete(id)) return;
    this.#change(id, { stopping: false, ended: this.now(), ...change });
    const task = this.store.getState().tasks.find((one) => one.id === id);
    if (task !== undefined) this.ended(task);
  }

  #change(id: number, change: Partial<TaskView>): void {
    this.store.setState(({ tasks }) => ({
      tasks: tasks.map((task) =>
        task.id === id && task.ended === undefined ? { ...task, ...change } : task,
      ),
    }));
  }
}
