/**
 * SBI legacy extensions (SBI 2.0 §5), for old kernels: one extension each, a result in a0 alone.
 * Their hart masks lie in memory, at a virtual address of the caller.
 */
import {
  SbiError,
  type SbiExtension,
  type SbiHart,
  type SbiPlatform,
  type SbiResult,
  selectHarts,
} from './types.ts';

type Call = (platform: SbiPlatform, hart: SbiHart, argument: bigint) => SbiResult;

const done: SbiResult = { error: SbiError.Success };

function legacy(id: bigint, name: string, call: Call): SbiExtension {
  return { id, name, call: (platform, hart, _functionId, [first]) => call(platform, hart, first) };
}

/** Does something to each hart of the mask that `pointer` points to; null means all harts. */
function forHarts(action: (hart: SbiHart) => void): Call {
  return (platform, caller, pointer) => {
    const mask = pointer === 0n ? undefined : caller.loadVirtual(pointer);
    if (pointer !== 0n && mask === undefined) return { error: SbiError.InvalidAddress };
    const harts = mask === undefined ? platform.harts : selectHarts(platform.harts, mask, 0n);
    if (!harts) return { error: SbiError.InvalidParam };
    harts.forEach(action);
    return done;
  };
}

const flush = forHarts((hart) => hart.flushTranslations());

export const legacyExtensions: readonly SbiExtension[] = [
  legacy(0n, 'set timer', (_platform, hart, deadline) => {
    hart.setTimer(deadline);
    return done;
  }),
  legacy(1n, 'console putchar', (platform, _hart, character) => {
    platform.consoleWrite(Uint8Array.of(Number(character & 0xffn)));
    return done;
  }),
  legacy(2n, 'console getchar', (platform) => {
    const [character] = platform.consoleRead(1);
    return { error: character === undefined ? SbiError.Failed : BigInt(character) };
  }),
  legacy(3n, 'clear IPI', (_platform, hart) => {
    hart.setSoftwareInterrupt(false);
    return done;
  }),
  legacy(
    4n,
    'send IPI',
    forHarts((hart) => hart.setSoftwareInterrupt(true)),
  ),
  legacy(
    5n,
    'remote FENCE.I',
    forHarts(() => {}),
  ),
  legacy(6n, 'remote SFENCE.VMA', flush),
  legacy(7n, 'remote SFENCE.VMA with ASID', flush),
  legacy(8n, 'shutdown', (platform) => {
    platform.reset('shutdown', false);
    return done;
  }),
];
