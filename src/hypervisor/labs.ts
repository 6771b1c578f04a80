/**
 * Labs in the page: each VM of a lab is made, started when what it waits for is ready, given its files
 * and commands, and checked. They go by the VM's shared folder and its console, so that a person sees
 * what runs, and anything may serve the guest. Relies on the lab having passed its check; what a guest
 * says is read within bounds.
 */
import type { Template } from '../machine/manifest.ts';
import { type Lab, type LabMember, labBytes, labSeconds, membersOf } from '../resources/lab.ts';
import { bringUp, rollingUpdate, type UpdateEnd } from '../resources/lab-run.ts';
import type { Fleet } from './fleet.ts';
import { giveWork, READY, START, scriptOf, wordOf } from './lab-guest.ts';
import { isLive, type Vm } from './vm.ts';

export interface LabOptions {
  readonly signal: AbortSignal;
  /** So many VMs of the lab are ready. */
  progress(ready: number, all: number): void;
  /** A VM of the lab has been made. */
  made(vm: Vm, member: LabMember): void;
  /** The address of the lab, when a reload brings it up again. */
  readonly address?: string | undefined;
  /** A file beside the lab; undefined where the lab has no place of its own. */
  readonly source?: ((path: string) => Promise<Blob>) | undefined;
}

/** Seconds that a VM has unless its lab says otherwise. */
const READY_S = 60;
const LOOK_MS = 200;
/** Characters of a console in which a text is looked for. */
const CONSOLE_KEPT = 64 * 1024;
/** Characters of a console that are shown again. */
const PICTURE_MAX = 64 * 1024;

/** What those that a lab has brought up were described by. */
const described = new WeakMap<Vm, string>();

/** Rejects with a sentence when something of the lab cannot be had here, or one does not get ready. */
export async function bringLabUp(fleet: Fleet, lab: Lab, options: LabOptions): Promise<void> {
  const members = await placed(fleet, lab, options, ({ name }) =>
    fleet.all.some(({ view }) => view.name === name)
      ? `There is a machine “${name}” already: delete or rename one of the two.`
      : undefined,
  );
  let ready = 0;
  options.progress(0, members.length);
  await bringUp(members, async (member) => {
    options.signal.throwIfAborted();
    await start(fleet, member, options);
    options.progress(++ready, members.length);
  });
}

/**
 * Machines make way, some at a time, for those that a lab describes under their names. The old ones
 * wait, paused, until all new ones are ready; when one does not get ready, all old ones go on.
 */
export async function updateByLab(
  fleet: Fleet,
  lab: Lab,
  batch: (count: number) => number,
  options: LabOptions,
): Promise<UpdateEnd> {
  const old = new Map(fleet.all.map((vm) => [vm.view.name, vm]));
  const members = await placed(fleet, lab, options, ({ name }) => {
    const vm = old.get(name);
    if (vm === undefined) return `There is no machine “${name}” to replace: create it first.`;
    if (vm.view.keptId === undefined) return undefined;
    return `“${name}” is kept with its disks and snapshots: delete it, and open the lab instead.`;
  });
  const changed = members.filter((member) => {
    const vm = old.get(member.name);
    return vm !== undefined && described.get(vm) !== JSON.stringify(member.vm);
  });
  const waiting = new Map<Vm, { ran: boolean; picture: string }>();
  const end = await rollingUpdate(changed, Math.max(1, batch(changed.length)), {
    replace: async (member) => {
      options.signal.throwIfAborted();
      const vm = old.get(member.name);
      if (vm === undefined) return;
      const ran = isLive(vm.view.status) && vm.view.status !== 'paused';
      if (ran) await vm.pause();
      // Who is out of sight has no terminal.
      waiting.set(vm, { ran, picture: vm.console.picture(PICTURE_MAX) });
      fleet.setAside(vm.view.id);
      // A reload brings up what the old one came from.
      await start(fleet, member, { ...options, address: vm.specification.lab });
    },
    restore: async ({ name }) => {
      const vm = old.get(name);
      const before = vm && waiting.get(vm);
      if (vm === undefined || before === undefined) return;
      for (const { view } of fleet.all) if (view.name === name) fleet.delete(view.id);
      vm.console.show(before.picture);
      fleet.putBack(vm);
      if (before.ran) await vm.resume();
    },
    progress: options.progress,
  });
  if (end.kind === 'updated') for (const vm of waiting.keys()) vm.dispose();
  return end;
}

type Placed = LabMember & { readonly template: Template };

/** The VMs of a lab with their templates; rejects with what cannot be had of them here. */
async function placed(
  fleet: Fleet,
  lab: Lab,
  { source }: LabOptions,
  problemOf: (member: LabMember) => string | undefined,
): Promise<Placed[]> {
  const templates = await fleet.images.templates();
  const problems = new Set<string>();
  const members = membersOf(lab).flatMap((member) => {
    const { name, vm } = member;
    const template = templates.find((one) => one.name === vm.template);
    const problem = problemOf(member);
    if (template === undefined) problems.add(`There is no template “${vm.template}”.`);
    else if (problem !== undefined) problems.add(problem);
    if (vm.disks?.some(({ file }) => file !== undefined)) {
      problems.add(
        `“${name}” has a disk of a file: that is for the command line. Give it a size here.`,
      );
    }
    if (source === undefined && vm.files?.some((file) => file.source !== undefined)) {
      problems.add(
        `“${name}” has a file with a source: open the lab by its address, or write the text into it.`,
      );
    }
    return template ? [{ ...member, template }] : [];
  });
  if (problems.size > 0) throw new Error([...problems].join(' '));
  return members;
}

async function start(fleet: Fleet, member: Placed, options: LabOptions): Promise<void> {
  const { vm: wanted, name, template } = member;
  const { disks: each } = member.limits;
  // The template's own disk is the guest's first.
  const limits = each && template.disk ? { ...member.limits, disks: [{}, ...each] } : member.limits;
  const script = scriptOf(member);
  const [id = ''] = fleet.create({
    template,
    name,
    count: 1,
    memory: limits.memory?.maximum,
    limits,
    cold: wanted.cold,
    lab: options.address,
    tags: wanted.tags,
    disks: wanted.disks?.map(({ size = '' }) => ({ kind: 'scratch', size: labBytes(size) })),
    start: false,
    ...(script && { run: START }),
  });
  const vm = fleet.get(id);
  if (vm === undefined) return;
  described.set(vm, JSON.stringify(wanted));
  options.made(vm, member);
  if (script) await giveWork(vm, member, script, options.source);
  await getReady(vm, member, script !== undefined, options.signal);
}

/** Starts it, and waits for all that its lab wants of it. */
async function getReady(
  vm: Vm,
  { name, vm: { ready } }: LabMember,
  works: boolean,
  signal: AbortSignal,
): Promise<void> {
  const seconds = ready?.within === undefined ? READY_S : labSeconds(ready.within);
  const end = performance.now() + seconds * 1000;
  const reached = (met: () => boolean | Promise<boolean>) => until(vm, seconds, end, signal, met);
  const watch = ready?.console === undefined ? undefined : watchConsole(vm, ready.console);
  try {
    void vm.start();
    await reached(() => vm.view.status === 'running');
    if (works) {
      await reached(async () => {
        const word = await wordOf(vm);
        if (word === undefined || word === READY) return word === READY;
        throw new Error(`${name}: ${word}`);
      });
    }
    if (watch) await reached(watch.shown);
    if (ready?.agent) await reached(() => vm.view.figures?.agent !== undefined);
  } finally {
    watch?.stop();
  }
}

/** Looks for a text in what a VM's console prints from now on, until it is found or stopped. */
function watchConsole(vm: Vm, text: string): { shown(): boolean; stop(): void } {
  const decoder = new TextDecoder();
  let last = '';
  let shown = false;
  const stop = vm.onOutput((data) => {
    last = (last + decoder.decode(data, { stream: true })).slice(-CONSOLE_KEPT);
    if (!last.includes(text)) return;
    shown = true;
    stop();
  });
  return { shown: () => shown, stop };
}

/** Waits for it; rejects when the time is over, or the VM has ended meanwhile. */
async function until(
  vm: Vm,
  seconds: number,
  end: number,
  signal: AbortSignal,
  met: () => boolean | Promise<boolean>,
): Promise<void> {
  while (!(await met())) {
    signal.throwIfAborted();
    const { name, status, reason } = vm.view;
    if (['off', 'crashed', 'failed'].includes(status)) {
      throw new Error(`${name} has ended: ${reason ?? status}`);
    }
    if (performance.now() > end) throw new Error(`${name} was not ready within ${seconds} s.`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
