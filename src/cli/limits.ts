/**
 * Holds a machine of this process to its limits. Its weight against other runs on this computer is
 * the operating system's to keep: it becomes the niceness of the thread that runs the guest.
 */
import { constants, setPriority } from 'node:os';
import { UserError } from '../machine/errors.ts';
import type { Machine } from '../machine/machine.ts';
import { CPU_WEIGHT, capOf, type DiskLimit, type Limits } from '../resources/limits.ts';

/** One step of niceness is so much of a share (sched(7)). */
const NICE_STEP = 1.25;
const NICEST = constants.priority.PRIORITY_LOW;
const LEAST_NICE = constants.priority.PRIORITY_HIGHEST;

/** `before`: disks of the machine that come before those which the limits name. */
export function applyLimits(machine: Machine, limits: Limits, before: number): void {
  const cap = capOf(limits);
  if (cap < 1) machine.setCpuQuota(cap);
  const own: DiskLimit[] = Array.from({ length: before }, () => ({}));
  machine.setDiskLimits(limits.disk ?? {}, [...own, ...(limits.disks ?? [])]);
  const weight = limits.cpu?.weight;
  if (weight !== undefined && weight !== CPU_WEIGHT.default) setWeight(weight);
}

export function nicenessOf(weight: number): number {
  const steps = Math.round(Math.log(CPU_WEIGHT.default / weight) / Math.log(NICE_STEP));
  return Math.min(NICEST, Math.max(LEAST_NICE, steps));
}

function setWeight(weight: number): void {
  try {
    setPriority(nicenessOf(weight));
  } catch {
    throw new UserError(
      `This computer does not let you raise the weight of a run to ${weight}: that takes the right ` +
        `to lower niceness. Give the other runs less than ${CPU_WEIGHT.default} instead.`,
    );
  }
}
