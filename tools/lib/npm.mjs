/**
 * The npm packages of the lock file, installed when node_modules does not hold them. Node and npm
 * alone. Guarantees that without a network the answer comes soon, and says how to do without one.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Plain, run, which } from './shell.mjs';

/**
 * npm's own settings wait minutes for a network that is not there. One more try helps against a
 * hiccup; the time-out is for a silent connection, not for a slow one.
 */
const network = [
  '--fetch-retries=1',
  '--fetch-retry-mintimeout=1000',
  '--fetch-retry-maxtimeout=2000',
  '--fetch-timeout=15000',
  '--prefer-offline',
];

/** @param {string} root the repository */
export async function installPackages(root) {
  if (packagesAreThere(root)) return;
  if (which('npm') === undefined) {
    throw new Plain(
      'npm, which installs the packages that Tabvisor is built with, is missing here. Install it ' +
        '(it comes with Node; in Debian it is the package npm).',
    );
  }
  console.log('Installing the npm packages of the lock file …');
  const env = { ...process.env, PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD: '1' };
  const quiet = ['--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error'];
  const done = await run('npm', ['ci', ...quiet, '--progress', ...network], { cwd: root, env });
  if (!done) {
    throw new Plain(
      'The npm packages of package-lock.json are missing and npm could not install them: see its ' +
        'messages above. Check the network, or name a mirror with "npm config set registry URL". ' +
        'Without a network, do one of two things on a machine that has one, in a clone of this ' +
        'repository: run "npm ci --cache FOLDER", bring FOLDER here and run ' +
        '"npm ci --offline --cache FOLDER"; or run "npm ci" and bring node_modules here (the ' +
        'same system and processor). Then try again.',
    );
  }
}

/** npm notes in node_modules what it installed; compare that with the lock file. @param {string} root */
function packagesAreThere(root) {
  const note = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(note)) return false;
  try {
    const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
    const installed = JSON.parse(readFileSync(note, 'utf8')).packages;
    return Object.entries(locked).every(
      ([path, { version, optional }]) =>
        path === '' || optional || installed[path]?.version === version,
    );
  } catch {
    return false;
  }
}
