/** Sizes of guests for which the host view says how many fit: the presets. */
import type { Size } from '../../resources/admission.ts';
import { PRESET_NAMES, PRESETS } from '../../resources/limits.ts';

export const SIZES: readonly Size[] = PRESET_NAMES.map((name) => ({
  name,
  memory: PRESETS[name].memory.maximum,
}));
