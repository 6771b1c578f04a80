/** Where this machine's Chromium is. Node alone. */
import { existsSync } from 'node:fs';
import { installMissing, Plain } from './shell.mjs';

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The one that TABVISOR_CHROMIUM names, or the system's; undefined: there is none. */
export function chromiumPath() {
  return process.env.TABVISOR_CHROMIUM ?? places.find((path) => existsSync(path));
}

/**
 * The same; installed first where that is possible.
 * @param {string} purpose what it is for, to be named when it cannot be had
 * @returns {Promise<string>}
 */
export async function ensureChromium(purpose) {
  if (!process.env.TABVISOR_CHROMIUM) {
    await installMissing([{ program: 'chromium', package: 'chromium' }], purpose);
  }
  const path = chromiumPath();
  if (path) return path;
  throw new Plain('Chromium is not in /usr/bin. Name it in TABVISOR_CHROMIUM.');
}
