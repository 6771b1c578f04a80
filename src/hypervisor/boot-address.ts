/**
 * The way back from VMs to an address that boots them: same templates, names, memory, disks and
 * commands, in the same order. What `parseBootRequest` reads is what this writes; a test takes
 * fleets there and back.
 */
import { BOOT_COUNT_MAXIMUM, BOOT_PARAMETERS } from './boot-request.ts';
import { MIB } from './memory-size.ts';
import { freeNames } from './names.ts';

export interface DescribedVm {
  template: string;
  name: string;
  /** Bytes; the template's default when left out. */
  memory?: number | undefined;
  disk?: number | undefined;
  /** Boots the kernel, although the template has a snapshot. */
  cold?: boolean | undefined;
  run?: string | undefined;
  /** Off: it is listed, not started. */
  off: boolean;
}

/**
 * The query of `search` with the VMs in the place of those that it named. An address starts a
 * limited number: VMs beyond it are left out.
 */
export function describeVms(search: string, vms: readonly DescribedVm[]): string {
  const parts = [...new URLSearchParams(search)]
    .filter(([name]) => !BOOT_PARAMETERS.has(name))
    .map(([name, value]) => `${encode(name)}=${encode(value)}`);
  const taken = new Set<string>();
  const described = vms.slice(0, BOOT_COUNT_MAXIMUM);
  for (let at = 0; at < described.length; ) {
    const { count, name } = longestGroup(described.slice(at), taken);
    const [vm] = described.slice(at, at + count);
    if (vm === undefined) break;
    parts.push(`boot=${encode(vm.template)}${count > 1 ? `:${count}` : ''}`);
    if (name !== '') parts.push(`name=${encode(name)}`);
    if (vm.memory !== undefined) parts.push(`memory=${size(vm.memory)}`);
    if (vm.disk !== undefined) parts.push(`disk=${size(vm.disk)}`);
    if (vm.off) parts.push('start=no');
    if (vm.cold === true) parts.push('cold');
    if (vm.run !== undefined) parts.push(`run=${encode(vm.run)}`);
    for (const made of described.slice(at, at + count)) taken.add(made.name);
    at += count;
  }
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

/** As many of the first VMs as one `boot` makes: alike, and named as it would name them. */
function longestGroup(vms: readonly DescribedVm[], taken: ReadonlySet<string>) {
  const [first] = vms;
  if (first === undefined) return { count: 0, name: '' };
  let alike = vms.findIndex((vm) => !sameMachine(vm, first));
  if (alike === -1) alike = vms.length;
  for (let count = alike; count > 0; count--) {
    const several = count > 1 ? first.name.replace(/-\d+$/, '') : first.name;
    for (const name of ['', several]) {
      const names = freeNames(name, first.template, count, taken);
      if (names.every((made, index) => made === vms[index]?.name)) return { count, name };
    }
  }
  return { count: 1, name: first.name };
}

function sameMachine(a: DescribedVm, b: DescribedVm): boolean {
  return (
    a.template === b.template &&
    a.memory === b.memory &&
    a.disk === b.disk &&
    a.run === b.run &&
    a.cold === b.cold &&
    a.off === b.off
  );
}

/** As `parseMemorySize` reads it, to the byte. */
function size(bytes: number): string {
  if (bytes % 1024 ** 3 === 0) return `${bytes / 1024 ** 3}G`;
  return bytes % MIB === 0 ? `${bytes / MIB}M` : `${bytes / 1024}k`;
}

/** As short and readable as an address may be. */
function encode(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%20', '+')
    .replaceAll('%2F', '/')
    .replaceAll('%3A', ':');
}
