/**
 * What happens when the page comes up: the list of templates is fetched, and the VMs that the
 * address asks for are made. A request that cannot be met makes nothing and says why.
 */
import { type BootRequest, parseBootRequest } from '../hypervisor/boot-request.ts';
import type { NewVms } from '../hypervisor/fleet.ts';
import { budgetOf, rememberedAssessment } from '../hypervisor/host-assessment.ts';
import { formatMemorySize } from '../hypervisor/memory-size.ts';
import type { Template } from '../machine/manifest.ts';
import { formerLayout, type Layout } from './address.ts';
import { whenAdmitted } from './admission.ts';
import { judge } from './judge.ts';
import { openConsole, showList } from './navigation.ts';
import { fleet } from './services.ts';
import { addConsole, getUi, setUi } from './store.ts';

/** As long as memory has not been measured, every computer is taken to have so much, in bytes. */
const MODEST_MEMORY = 512 * 1024 ** 2;

/** Makes VMs, opens their consoles and shows the first; asks first when that is more than the host carries. */
export function createVms(request: NewVms): void {
  whenAdmitted({ machines: [request], go: () => makeVms(request) });
}

function makeVms(request: NewVms): void {
  // Who makes a VM after a bad address has left the address behind.
  if (getUi().bootProblems.length > 0) forgetAddress();
  const ids = fleet.create(request);
  for (const id of ids) addConsole(id);
  const [first] = ids;
  if (first !== undefined) openConsole(first);
}

/** Resolves when the list is there and what the address asks for is made. `anew`: it has changed. */
export async function loadCatalogue(anew = false): Promise<void> {
  setUi({ catalogue: { kind: 'loading' }, bootProblems: [] });
  try {
    const templates = await fleet.images.templates(anew);
    setUi({ catalogue: { kind: 'ready', templates } });
    await bootFromAddress(templates);
  } catch (error) {
    setUi({
      catalogue: { kind: 'failed', reason: error instanceof Error ? error.message : String(error) },
    });
  }
}

let addressDone = false;

async function bootFromAddress(templates: readonly Template[]): Promise<void> {
  if (addressDone) return;
  addressDone = true;
  const parsed = parseBootRequest(location.search, templates);
  if (parsed.kind === 'problems') setUi({ bootProblems: parsed.problems });
  if (parsed.kind !== 'request') return;
  const wanted: NewVms[] = [];
  const problems: string[] = [];
  for (const request of parsed.requests) {
    const template = templates.find(({ name }) => name === request.template);
    if (template === undefined) continue;
    const problem = await memoryProblem(template, request);
    if (problem !== undefined) problems.push(problem);
    wanted.push({ ...request, template });
  }
  if (problems.length > 0) return setUi({ bootProblems: [...new Set(problems)] });
  const layout = formerLayout();
  const go = () => bootAgain(wanted, layout);
  const machines = wanted.filter(({ start }) => start !== false);
  if (await fitsAnyway(machines)) go();
  else whenAdmitted({ machines, go });
}

/** What is modest boots at once: it waits for no measurement, nor for the script that asks. */
async function fitsAnyway(machines: readonly NewVms[]): Promise<boolean> {
  const known = budgetOf(rememberedAssessment());
  const budget = { ...known, memory: known.memory ?? MODEST_MEMORY };
  return (await judge(machines, budget, [])).kind === 'fits';
}

/** Makes the address's VMs, with the consoles that were open before a reload: all, if none was. */
function bootAgain(wanted: readonly NewVms[], layout: Layout | undefined): void {
  const ids = new Map<string, string>();
  for (const request of wanted) {
    for (const id of fleet.create(request)) ids.set(fleet.get(id)?.view.name ?? '', id);
  }
  const open = layout?.consoles.flatMap((name) => ids.get(name) ?? []) ?? [...ids.values()];
  for (const id of open) addConsole(id);
  const shown = layout === undefined ? open[0] : ids.get(layout.shown ?? '');
  if (shown === undefined) showList();
  else openConsole(shown);
  setUi({ startedAgain: layout?.live === true });
}

async function memoryProblem(
  template: Template,
  request: BootRequest,
): Promise<string | undefined> {
  if (request.memory === undefined) return undefined;
  // A manifest that cannot be read is the VM's failure, with its own way to try again.
  const manifest = await fleet.images.manifest(template).catch(() => undefined);
  if (manifest === undefined || request.memory >= manifest.memory.minimum) return undefined;
  return `${formatMemorySize(request.memory)} of memory is too little for “${template.name}”: it needs at least ${formatMemorySize(manifest.memory.minimum)}.`;
}

/** Takes the request out of the address: what it asked for cannot be had. */
export function forgetAddress(): void {
  history.replaceState(null, '', location.pathname);
  setUi({ bootProblems: [] });
}
