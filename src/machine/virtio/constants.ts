/** Names of virtio 1.2: registers of the MMIO transport, status bits, features and ring flags. */

/** Register offsets, virtio 1.2 §4.2.2. */
export const REG = {
  MAGIC: 0x000,
  VERSION: 0x004,
  DEVICE_ID: 0x008,
  VENDOR_ID: 0x00c,
  DEVICE_FEATURES: 0x010,
  DEVICE_FEATURES_SEL: 0x014,
  DRIVER_FEATURES: 0x020,
  DRIVER_FEATURES_SEL: 0x024,
  QUEUE_SEL: 0x030,
  QUEUE_NUM_MAX: 0x034,
  QUEUE_NUM: 0x038,
  QUEUE_READY: 0x044,
  QUEUE_NOTIFY: 0x050,
  INTERRUPT_STATUS: 0x060,
  INTERRUPT_ACK: 0x064,
  STATUS: 0x070,
  QUEUE_DESC_LOW: 0x080,
  QUEUE_DESC_HIGH: 0x084,
  QUEUE_DRIVER_LOW: 0x090,
  QUEUE_DRIVER_HIGH: 0x094,
  QUEUE_DEVICE_LOW: 0x0a0,
  QUEUE_DEVICE_HIGH: 0x0a4,
  SHM_LEN_LOW: 0x0b0,
  SHM_LEN_HIGH: 0x0b4,
  SHM_BASE_LOW: 0x0b8,
  SHM_BASE_HIGH: 0x0bc,
  CONFIG_GENERATION: 0x0fc,
  CONFIG: 0x100,
} as const;

export const MAGIC = 0x7472_6976;
export const VERSION = 2;
/** "TABV", little endian. */
export const VENDOR = 0x5642_4154;

/** Device status, virtio 1.2 §2.1. */
export const STATUS = {
  ACKNOWLEDGE: 1,
  DRIVER: 2,
  DRIVER_OK: 4,
  FEATURES_OK: 8,
  NEEDS_RESET: 64,
  FAILED: 128,
} as const;

/** Feature bits that the transport owns, virtio 1.2 §6. */
export const FEATURE = {
  INDIRECT_DESC: 28,
  EVENT_IDX: 29,
  VERSION_1: 32,
} as const;

/** Bits of the interrupt status register. */
export const INTERRUPT = { USED_BUFFER: 1, CONFIG_CHANGE: 2 } as const;

/** Descriptor and ring flags, virtio 1.2 §2.7. */
export const DESC = { NEXT: 1, WRITE: 2, INDIRECT: 4, SIZE: 16 } as const;
export const AVAIL_NO_INTERRUPT = 1;

export const DEVICE_ID = { BLOCK: 2, CONSOLE: 3, ENTROPY: 4, BALLOON: 5, NINE_P: 9 } as const;
