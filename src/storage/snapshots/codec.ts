/** The machine's own encoding of its state, as stores and files use it. */
import { decodeSaved, encodeSaved } from '../../machine/snapshot/encode.ts';
import type { StateCodec } from './record.ts';

export const stateCodec: StateCodec = {
  encode: (state) => encodeSaved(state),
  decode: (bytes) => decodeSaved(bytes),
};
