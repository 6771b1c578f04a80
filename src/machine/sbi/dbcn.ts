/**
 * SBI debug console (SBI 2.0 §12). Relies on the platform to check that a range is RAM. A call does
 * a bounded amount of work: the specification lets it write or read less than it was asked for.
 */
import { failure, SbiError, type SbiExtension, success } from './types.ts';

/** Most bytes that one call moves. Far above a line of a log, far below what would stall a slice. */
const MAX_BYTES = 65536n;

export const dbcn: SbiExtension = {
  name: 'DBCN',
  id: 0x4442434en,
  call(platform, _hart, functionId, [first, low, high]) {
    switch (functionId) {
      case 0n: {
        // The whole range must be memory, even where only its beginning is written.
        if (high !== 0n || !platform.isMemory(low, first)) return failure(SbiError.InvalidParam);
        const data = platform.readMemory(low, first < MAX_BYTES ? first : MAX_BYTES);
        if (!data) return failure(SbiError.InvalidParam);
        platform.consoleWrite(withReturns(data));
        return success(BigInt(data.length));
      }
      case 1n: {
        if (high !== 0n || !platform.isMemory(low, first)) return failure(SbiError.InvalidParam);
        const data = platform.consoleRead(Number(first < MAX_BYTES ? first : MAX_BYTES));
        platform.writeMemory(low, data);
        return success(BigInt(data.length));
      }
      case 2n:
        platform.consoleWrite(Uint8Array.of(Number(first & 0xffn)));
        return success();
      default:
        return failure(SbiError.NotSupported);
    }
  },
};

/** A terminal wants a carriage return before each line feed; firmware adds it, as OpenSBI does. */
function withReturns(data: Uint8Array): Uint8Array {
  const bytes: number[] = [];
  for (const [index, byte] of data.entries()) {
    if (byte === 0x0a && data[index - 1] !== 0x0d) bytes.push(0x0d);
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}
