/**
 * What a machine must have for a snapshot to fit: memory, disks, ports, kind of program. A snapshot
 * of another machine is refused with a sentence that says what differs, before anything is changed.
 */
import { UserError } from '../errors.ts';
import { MIB, SHARES_MAX } from '../memory-map.ts';
import { count, flag, list, record, type Saved, text } from '../state.ts';

export interface Setup {
  /** Bytes of RAM. */
  readonly memory: number;
  readonly disks: readonly { readonly size: number; readonly readOnly: boolean }[];
  /** Tags of shared folders. */
  readonly shares: readonly string[];
  /** Names of the virtio console's further ports. */
  readonly ports: readonly string[];
  /** A bare-metal program that speaks to the host through tohost. */
  readonly htif: boolean;
}

const NAME_MAX = 64;
const DISKS = 16;
const PORTS = 16;

const type = record(
  {
    memory: count,
    disks: list(record({ size: count, readOnly: flag }), DISKS, () => ({
      size: 512,
      readOnly: false,
    })),
    shares: list(text(NAME_MAX), SHARES_MAX, () => 'share'),
    ports: list(text(NAME_MAX), PORTS, () => 'port'),
    htif: flag,
  },
  undefined,
);

export function setupSaved({ memory, disks, shares, ports, htif }: Setup): Saved {
  return type.save({
    memory,
    disks: disks.map(({ size, readOnly }) => ({ size, readOnly })),
    shares: [...shares],
    ports: [...ports],
    htif,
  });
}

/** The setup that a snapshot was taken of. */
function parseSetup(saved: unknown): Setup {
  return type.parse(saved, 'The setup of the snapshot');
}

/** The setup in the state of a snapshot. */
export function setupOf(state: Saved): Setup {
  return parseSetup(typeof state === 'object' && 'setup' in state ? state.setup : undefined);
}

/** Refuses a snapshot of a machine that differs from this one. */
export function checkSetup(own: Setup, memory: number, saved: unknown): void {
  const other = parseSetup(saved);
  if (memory !== own.memory || other.memory !== own.memory) {
    throw new UserError(
      `The snapshot is of a machine with ${other.memory / MIB} MB of memory, this one has ` +
        `${own.memory / MIB} MB. Make one with as much.`,
    );
  }
  if (other.htif !== own.htif) {
    throw new UserError('The snapshot is of a machine that boots another kind of program.');
  }
  if (disksInWords(other.disks) !== disksInWords(own.disks)) {
    throw new UserError(
      `The snapshot is of a machine with ${disksInWords(other.disks)}, this one has ` +
        `${disksInWords(own.disks)}. Give it the same.`,
    );
  }
  if (other.shares.join('\n') !== own.shares.join('\n')) {
    throw new UserError(
      'The snapshot is of a machine with other shared folders: ' +
        `${other.shares.join(', ') || 'none'} instead of ${own.shares.join(', ') || 'none'}.`,
    );
  }
  if (other.ports.join('\n') !== own.ports.join('\n')) {
    throw new UserError(
      'The snapshot is of a machine with other ports: ' +
        `${other.ports.join(', ') || 'none'} instead of ${own.ports.join(', ') || 'none'}.`,
    );
  }
}

function disksInWords(disks: Setup['disks']): string {
  if (disks.length === 0) return 'no disks';
  const each = disks.map(({ size, readOnly }) => `${size} bytes${readOnly ? ', read-only' : ''}`);
  return `${disks.length} disk${disks.length === 1 ? '' : 's'} (${each.join('; ')})`;
}
