/**
 * What happens when the page comes up: the list of templates is fetched, and the VMs that the
 * address asks for are made. A request that cannot be met makes nothing and says why.
 */
import { type BootRequest, parseBootRequest } from '../hypervisor/boot-request.ts';
import type { NewVms } from '../hypervisor/fleet.ts';
import { formatMemorySize } from '../hypervisor/memory-size.ts';
import type { Template } from '../machine/manifest.ts';
import { openConsole } from './navigation.ts';
import { fleet } from './services.ts';
import { addConsole, setUi } from './store.ts';

/** Makes VMs, opens their consoles and shows the first. */
export function createVms(request: NewVms): void {
  const ids = fleet.create(request);
  for (const id of ids) addConsole(id);
  const [first] = ids;
  if (first !== undefined) openConsole(first);
}

export async function loadCatalogue(): Promise<void> {
  setUi({ catalogue: { kind: 'loading' }, bootProblems: [] });
  try {
    const templates = await fleet.images.templates();
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
  const { request } = parsed;
  const template = templates.find(({ name }) => name === request.template);
  if (template === undefined) return;
  const problem = await memoryProblem(template, request);
  if (problem === undefined) createVms({ ...request, template });
  else setUi({ bootProblems: [problem] });
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
