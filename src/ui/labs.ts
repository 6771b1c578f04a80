/**
 * Labs that a person opens, by a file or by the page's address, and the machines of the page as a lab
 * file. A script of its own. Each lab is a task; what is wrong with one is its sentence.
 */
import { besideLab, labAddress } from '../hypervisor/lab-address.ts';
import { labOf } from '../hypervisor/lab-export.ts';
import { fetchLabFile } from '../hypervisor/lab-fetch.ts';
import { bringLabUp, type LabOptions, updateByLab } from '../hypervisor/labs.ts';
import type { Task } from '../hypervisor/tasks.ts';
import {
  checkLab,
  LAB_SOURCE_MAXIMUM,
  type Lab,
  type LabMember,
  labSeconds,
  membersOf,
} from '../resources/lab.ts';
import { LAB_FILE_MAXIMUM, readLab, writeLab } from '../storage/lab/lab-file.ts';
import { setExpiry } from './capacity/sprawl.ts';
import { openConsole, selectedId } from './navigation.ts';
import { download } from './parts/download.ts';
import { fleet } from './services.ts';
import { chooseFiles } from './storage/save-file.ts';
import { addConsole, setUi } from './store.ts';

/** Bytes of a file that may be a lab's: more than its characters, which have a limit of their own. */
const LAB_TEXT_MAXIMUM = 4 * LAB_FILE_MAXIMUM;

export async function chooseLab(): Promise<void> {
  for (const file of await chooseFiles('.yaml,.yml,.json', true)) void openLabFile(file);
}

/** Machines make way for those of a lab file that the person chooses, and is asked about. */
export async function chooseReplacement(): Promise<void> {
  const [file] = await chooseFiles('.yaml,.yml,.json', false);
  if (file === undefined) return;
  const lab = await run(file.name, async (task) => {
    const lab = labIn(await textOf(file, file.name));
    task.says('It is a lab.');
    return lab;
  });
  if (lab === undefined) return;
  const names = membersOf(lab).map(({ name }) => name);
  const go = () => void run(`${file.name}: replace`, (task) => replace(lab, task));
  setUi({ dialog: { kind: 'replace', names, go } });
}

export async function openLabFile(file: File): Promise<void> {
  await run(file.name, async (task) => bring(await textOf(file, file.name), task));
}

/** `?lab=`: a name of this site's labs, or an address of this site. */
export async function openLabAddress(given: string): Promise<void> {
  await run(given.slice(0, 100), async (task) => {
    const address = labAddress(given, document.baseURI);
    const file = await fetchLabFile(address, LAB_TEXT_MAXIMUM, task.signal);
    // Many a server answers what it does not have with its first page.
    if (file.type.startsWith('text/html')) {
      throw new Error(
        `There is no lab at ${address.pathname}: a web page is there. Check its name.`,
      );
    }
    await bring(await textOf(file, address.pathname), task, address);
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

function run<T>(title: string, work: (task: Task) => Promise<T>): Promise<T | undefined> {
  setUi({ tasksOpen: true });
  return fleet.tasks.run(`Lab ${title}`, {}, work);
}

async function bring(text: string, task: Task, address?: URL): Promise<void> {
  let first = true;
  await bringLabUp(fleet, labIn(text), {
    ...optionsOf(task, ({ view }, member) => {
      setLabExpiry(member);
      if (first) openConsole(view.id);
      first = false;
    }),
    ...(address && {
      address: address.href,
      source: (path: string) =>
        fetchLabFile(besideLab(path, address), LAB_SOURCE_MAXIMUM, task.signal),
    }),
  });
}

/** Unless the lab says otherwise a quarter at a time: a template that does not start is found out early. */
async function replace(lab: Lab, task: Task): Promise<void> {
  const batch = (count: number) => lab.update?.batch ?? Math.ceil(count / 4);
  const shown = fleet.get(selectedId() ?? '')?.view.name;
  const fresh: LabMember[] = [];
  const options = optionsOf(task, (_, member) => fresh.push(member));
  const end = await updateByLab(fleet, lab, batch, options);
  // The console that was looked at has gone with its machine: the one of that name now is shown.
  const same = fleet.all.find(({ view }) => view.name === shown);
  if (same && fleet.get(selectedId() ?? '') === undefined) openConsole(same.view.id);
  if (end.kind === 'updated') {
    // Not before: an old one that goes on keeps its own.
    fresh.forEach(setLabExpiry);
    return task.says(
      end.count === 0
        ? 'The machines are as the file describes them already.'
        : `${end.count} machines have been replaced.`,
    );
  }
  const lost = end.lost.length === 0 ? '' : ` These could not: ${end.lost.join(', ')}.`;
  throw new Error(`${end.reason.replace(/\.?$/, '.')} The old machines go on.${lost}`);
}

function optionsOf(task: Task, made: LabOptions['made']): LabOptions {
  return {
    signal: task.signal,
    progress: (ready, all) => {
      task.progress(ready, all, 'items');
      task.says(`${ready} of ${all} machines are ready.`);
    },
    made: (vm, member) => {
      addConsole(vm.view.id);
      made(vm, member);
    },
  };
}

function setLabExpiry({ name, vm: { expires } }: LabMember): void {
  if (expires !== undefined) setExpiry(name, Date.now() + labSeconds(expires) * 1000);
}

function labIn(text: string): Lab {
  const read = readLab(text);
  if (read.kind === 'problems') throw new Error(read.problems.join(' '));
  return read.lab;
}

async function textOf(blob: Blob, name: string): Promise<string> {
  if (blob.size <= LAB_TEXT_MAXIMUM) return blob.text();
  throw new Error(`${name} is too large for a lab file.`);
}
