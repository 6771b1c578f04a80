/**
 * What a VM may take of the host: the one definition for page, command line and lab files. Relies on
 * nothing; guarantees that what has passed the schema can be given to a machine as it is.
 */
import * as v from 'valibot';

const MIB = 1024 * 1024;

/** Percent of one processor of the host that each hart may use. */
export const CPU_CAP = { minimum: 1, maximum: 100, default: 100 } as const;
/** A VM's share against that of others when they compete. */
export const CPU_WEIGHT = { minimum: 1, maximum: 1000, default: 100 } as const;
/** Bytes of guest RAM. */
export const MEMORY = { minimum: MIB, maximum: 2048 * MIB } as const;
/** Operations, and bytes, that disks may do in a second. */
export const DISK_OPERATIONS = { minimum: 1, maximum: 1_000_000 } as const;
export const DISK_BANDWIDTH = { minimum: 4096, maximum: 64 * 1024 * MIB } as const;
/** Seconds of its rate that a disk which was idle may do at once. */
export const DISK_BURST = { minimum: 0.05, maximum: 60, default: 1 } as const;
/** Harts of a VM: the machine has one for now. */
export const HARTS = {
  minimum: 1,
  maximum: 1,
  sentence: 'A VM has one hart for now: several are not possible yet.',
} as const;

const whole = (what: string, { minimum, maximum }: { minimum: number; maximum: number }) => {
  const text = `${what} is a whole number from ${minimum} to ${maximum}.`;
  return v.pipe(
    v.number(text),
    v.integer(text),
    v.minValue(minimum, text),
    v.maxValue(maximum, text),
  );
};

export const DiskLimitSchema = v.strictObject({
  /** Operations a second; no limit when left out. */
  iops: v.optional(whole('The limit of operations of a disk', DISK_OPERATIONS)),
  /** Bytes a second; no limit when left out. */
  bandwidth: v.optional(whole('The bandwidth of a disk', DISK_BANDWIDTH)),
  /** Seconds of both that an idle disk saves up. */
  burst: v.optional(
    v.pipe(
      v.number(),
      v.minValue(DISK_BURST.minimum, `A burst is at least ${DISK_BURST.minimum} s long.`),
      v.maxValue(DISK_BURST.maximum, `A burst is at most ${DISK_BURST.maximum} s long.`),
    ),
  ),
});
export type DiskLimit = v.InferOutput<typeof DiskLimitSchema>;

export const LimitsSchema = v.pipe(
  v.strictObject({
    cpu: v.optional(
      v.strictObject({
        cap: v.optional(whole('The cap of a processor, in percent,', CPU_CAP)),
        weight: v.optional(whole('The weight of a VM', CPU_WEIGHT)),
        harts: v.optional(
          v.pipe(
            v.number(HARTS.sentence),
            v.integer(HARTS.sentence),
            v.minValue(HARTS.minimum, HARTS.sentence),
            v.maxValue(HARTS.maximum, HARTS.sentence),
          ),
        ),
      }),
    ),
    memory: v.optional(
      v.strictObject({
        /** Bytes of RAM; fixed when the VM starts. */
        maximum: v.optional(whole('The memory of a VM, in bytes,', MEMORY)),
        /** Bytes that ballooning leaves it in any case. */
        minimum: v.optional(whole('The least memory of a VM, in bytes,', MEMORY)),
        /** Bytes that it is to get by with now. */
        target: v.optional(whole('The memory that a VM gets by with, in bytes,', MEMORY)),
      }),
    ),
    /** All disks of the VM together. */
    disk: v.optional(DiskLimitSchema),
    /** Each disk, in order. */
    disks: v.optional(v.pipe(v.array(DiskLimitSchema), v.maxLength(8))),
  }),
  v.check(({ memory }) => {
    const minimum = memory?.minimum ?? 0;
    const maximum = memory?.maximum ?? MEMORY.maximum;
    const target = memory?.target ?? maximum;
    return minimum <= target && target <= maximum;
  }, 'The least memory of a VM is at most what it gets by with, and that is at most all that it has.'),
);
export type Limits = v.InferOutput<typeof LimitsSchema>;

/** Sizes that people choose from. */
export const PRESETS = {
  tiny: {
    cpu: { cap: 50, weight: 50 },
    memory: { maximum: 96 * MIB, minimum: 64 * MIB },
    disk: { iops: 500, bandwidth: 20 * MIB },
  },
  small: {
    cpu: { cap: 100, weight: 100 },
    memory: { maximum: 128 * MIB, minimum: 72 * MIB },
  },
  standard: {
    cpu: { cap: 100, weight: 200 },
    memory: { maximum: 512 * MIB, minimum: 128 * MIB },
  },
  large: {
    cpu: { cap: 100, weight: 400 },
    memory: { maximum: 1024 * MIB, minimum: 256 * MIB },
  },
} as const satisfies Record<string, Limits>;
export type PresetName = keyof typeof PRESETS;
export const PRESET_NAMES = Object.keys(PRESETS) as readonly PresetName[];

export function isPreset(name: string): name is PresetName {
  return Object.hasOwn(PRESETS, name);
}

/** What others say over what is there already, field by field. */
export function withLimits(limits: Limits, changes: Limits): Limits {
  const { cpu, memory, disk, disks } = { ...limits, ...changes };
  return {
    ...(cpu && { cpu: { ...limits.cpu, ...changes.cpu } }),
    ...(memory && { memory: { ...limits.memory, ...changes.memory } }),
    ...(disk && { disk }),
    ...(disks && { disks }),
  };
}

/** Share of one processor that a cap in percent is for all harts together. */
export function capOf({ cpu }: Limits): number {
  return ((cpu?.cap ?? CPU_CAP.default) / 100) * (cpu?.harts ?? 1);
}

export function weightOf({ cpu }: Limits): number {
  return cpu?.weight ?? CPU_WEIGHT.default;
}
