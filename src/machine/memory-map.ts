/**
 * Where the parts of a machine sit in guest-physical memory: the places of QEMU's `-M virt`, so the
 * same bare-metal programs run on both. The one definition; devices themselves do not know.
 */
export { RAM_BASE } from './memory.ts';

export const MemoryMap = {
  syscon: 0x0010_0000,
  rtc: 0x0010_1000,
  vmgenid: 0x0010_2000,
  mswi: 0x0200_0000,
  mtimer: 0x0200_4000,
  sswi: 0x02f0_0000,
  plic: 0x0c00_0000,
  uart: 0x1000_0000,
  virtio: 0x1000_1000,
} as const;

export const VIRTIO_STRIDE = 0x1000;

/** Interrupt sources at the PLIC. */
export const Irq = { virtio: 1, uart: 10, rtc: 11, moreVirtio: 12, vmgenid: 30 } as const;

/**
 * Disks take the first slots, where course kernels look for them; then what every machine has. Those
 * from `shares` on are beyond QEMU's eight.
 */
export const VirtioSlot = { disks: 0, entropy: 6, console: 7, shares: 8, balloon: 12 } as const;
export const DISKS_MAX = VirtioSlot.entropy - VirtioSlot.disks;
export const SHARES_MAX = VirtioSlot.balloon - VirtioSlot.shares;

/** The interrupt source of a virtio slot. */
export function virtioIrq(slot: number): number {
  return slot < VirtioSlot.shares ? Irq.virtio + slot : Irq.moreVirtio + slot - VirtioSlot.shares;
}

/** Ticks of `time` and mtime in a second. */
export const TIMEBASE_HZ = 10_000_000;
export const TICKS_PER_MS = TIMEBASE_HZ / 1000;

export const MIB = 1 << 20;
/** RAM of a machine: the least for bare metal, the least for a Linux kernel, the most. */
export const MEMORY_MIN = MIB;
export const MEMORY_MIN_LINUX = 96 * MIB;
export const MEMORY_MAX = 2048 * MIB;
/** RAM is a whole number of WebAssembly pages. */
export const MEMORY_STEP = 65536;
