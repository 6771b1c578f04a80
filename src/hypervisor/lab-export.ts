/** Machines of the page as a lab: with what of them a lab can say. What guests hold is not in it. */
import type { Lab } from '../resources/lab.ts';
import type { DiskLimit } from '../resources/limits.ts';
import type { Vm } from './vm.ts';

export function labOf(name: string, vms: readonly Vm[]): Lab {
  return { format: 1, name, vms: Object.fromEntries(vms.map((vm) => [vm.view.name, labVmOf(vm)])) };
}

function labVmOf({ specification, view }: Vm): Lab['vms'][string] {
  const { cpu, memory, disk, disks: each = [] } = view.limits;
  const { minimum, target } = memory ?? {};
  const maximum = memory?.maximum ?? specification.memory;
  const bytes = {
    ...(maximum !== undefined && { maximum: kilobytes(maximum) }),
    ...(minimum !== undefined && { minimum: kilobytes(minimum) }),
    ...(target !== undefined && { target: kilobytes(target) }),
  };
  const all = [...(specification.disks ?? []), { size: specification.disk, image: undefined }];
  // A disk of an image comes with its template.
  const disks = all.flatMap(({ size, image }, index) =>
    size === undefined || image !== undefined
      ? []
      : [{ size: kilobytes(size), ...ratesOf(each[index] ?? {}) }],
  );
  const resources = {
    ...(cpu && { cpu: { cap: cpu.cap, weight: cpu.weight } }),
    ...(Object.keys(bytes).length > 0 && { memory: bytes }),
    ...(disk && { disk: ratesOf(disk) }),
  };
  return {
    template: view.template.name,
    ...(Object.keys(resources).length > 0 && { resources }),
    ...(disks.length > 0 && { disks }),
    ...(specification.cold && { cold: true }),
    ...(view.tags.length > 0 && { tags: [...view.tags] }),
  };
}

function ratesOf({ bandwidth, ...rates }: DiskLimit) {
  return { ...rates, ...(bandwidth !== undefined && { bandwidth: kilobytes(bandwidth) }) };
}

function kilobytes(bytes: number): string {
  return `${Math.round(bytes / 1024)}K`;
}
