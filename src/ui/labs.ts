/**
 * Labs that a person opens, by a file or by the page's address, and the machines of the page as a lab
 * file. A script of its own. Each lab is a task; what is wrong with one is its sentence.
 */
import { besideLab, labAddress } from '../hypervisor/lab-address.ts';
import { bringLabUp, labOf } from '../hypervisor/labs.ts';
import type { Task } from '../hypervisor/tasks.ts';
import { checkLab, labSeconds } from '../resources/lab.ts';
import { LAB_FILE_MAXIMUM, readLab, writeLab } from '../storage/lab/lab-file.ts';
import { setExpiry } from './capacity/sprawl.ts';
import { openConsole } from './navigation.ts';
import { download } from './parts/download.ts';
import { fleet } from './services.ts';
import { chooseFiles } from './storage/save-file.ts';
import { addConsole, setUi } from './store.ts';

export async function chooseLab(): Promise<void> {
  for (const file of await chooseFiles('.yaml,.yml,.json', true)) void openLabFile(file);
}

export function openLabFile(file: File): Promise<void> {
  return run(file.name, async (task) => bring(await textOf(file, file.name), task));
}

/** `?lab=`: a name of this site's labs, or an address of this site. */
export function openLabAddress(given: string): Promise<void> {
  return run(given.slice(0, 100), async (task) => {
    const address = labAddress(given, document.baseURI);
    const file = await fetched(address, task.signal);
    // Many a server answers what it does not have with its first page.
    if (file.type.startsWith('text/html')) {
      throw new Error(
        `There is no lab at ${address.pathname}: a web page is there. Check its name.`,
      );
    }
    await bring(await textOf(file, address.pathname), task, { address });
  });
}

/** A lab file of the machines that there are. */
export async function exportLab(): Promise<void> {
  await run('export', async () => {
    const lab = labOf('machines', fleet.all);
    const checked = checkLab(lab);
    if (checked.kind === 'problems') {
      throw new Error(checked.problems.map(({ text }) => text).join(' '));
    }
    download('machines.yaml', new Blob([writeLab(lab)], { type: 'application/yaml' }));
  });
}

async function run(title: string, work: (task: Task) => Promise<void>): Promise<void> {
  setUi({ tasksOpen: true });
  await fleet.tasks.run(`Lab ${title}`, {}, work);
}

async function bring(text: string, task: Task, from: { address?: URL } = {}): Promise<void> {
  const read = readLab(text);
  if (read.kind === 'problems') throw new Error(read.problems.join(' '));
  const { address } = from;
  let first = true;
  await bringLabUp(fleet, read.lab, {
    signal: task.signal,
    progress: (ready, all) => {
      task.progress(ready, all, 'items');
      task.says(`${ready} of ${all} machines are ready.`);
    },
    made: ({ view }, { vm: { expires } }) => {
      if (expires !== undefined) setExpiry(view.name, Date.now() + labSeconds(expires) * 1000);
      addConsole(view.id);
      if (first) openConsole(view.id);
      first = false;
    },
    ...(address && {
      address: address.href,
      source: (path: string) => fetched(besideLab(path, address), task.signal),
    }),
  });
}

async function fetched(address: URL, signal: AbortSignal): Promise<Blob> {
  // A redirection to another site fails.
  const response = await fetch(address, { mode: 'same-origin', signal }).catch(() => undefined);
  signal.throwIfAborted();
  if (response?.ok) return response.blob();
  const why = response
    ? `the server answered ${response.status}`
    : 'the server is away, or sends to another site';
  throw new Error(`${address.pathname} could not be fetched: ${why}.`);
}

async function textOf(blob: Blob, name: string): Promise<string> {
  if (blob.size <= 4 * LAB_FILE_MAXIMUM) return blob.text();
  throw new Error(`${name} is too large for a lab file.`);
}
