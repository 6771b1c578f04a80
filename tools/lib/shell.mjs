/**
 * Running other programs from the set-up scripts. Node alone. A failure becomes one sentence with
 * the program's own last words.
 */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A failure that is explained to the person in one sentence, without a stack. */
export class Plain extends Error {}

/** Where `program` is on the search path (sbin folders included), or nothing. @param {string} program */
export function which(program) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  for (const folder of [...folders, '/usr/sbin', '/sbin']) {
    try {
      const path = join(folder, program);
      accessSync(path, constants.X_OK);
      // A folder may be entered, which is the same bit.
      if (statSync(path).isFile()) return path;
    } catch {
      // not here
    }
  }
  return undefined;
}

/**
 * Runs a program to its end and returns what it printed.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, input?: Buffer | string }} [options]
 * @returns {{ ok: boolean, status: number | null, stdout: Buffer, stderr: string }}
 */
export function capture(command, args, options = {}) {
  const result = spawnSync(command, args, { ...options, maxBuffer: 1 << 30 });
  return {
    ok: result.status === 0,
    status: result.status,
    stdout: result.stdout ?? Buffer.alloc(0),
    stderr: result.error ? result.error.message : String(result.stderr ?? ''),
  };
}

/**
 * Runs a program in the open: what it prints is seen. Resolves to whether it succeeded.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<boolean>}
 */
export function run(command, args, options = {}) {
  return new Promise((done) => {
    const child = spawn(command, args, { stdio: 'inherit', ...options });
    child.on('error', () => done(false));
    child.on('exit', (code) => done(code === 0));
  });
}

/** The last lines that say something. @param {string} text @param {number} [count] */
export function lastWords(text, count = 3) {
  return text.trim().split('\n').filter(Boolean).slice(-count).join(' / ');
}

/** True for the user who may install packages. */
export function isRoot() {
  return process.getuid?.() === 0;
}

/**
 * Makes sure that programs exist on this machine, installing their Debian packages when allowed.
 * @param {{ program: string, package: string }[]} needs
 * @param {string} purpose what they are for, to end a sentence with
 */
export async function installMissing(needs, purpose) {
  const missing = needs.filter(({ program }) => which(program) === undefined);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((need) => need.package))];
  const how = `Install them as root with: apt-get install ${packages.join(' ')}`;
  if (which('apt-get') === undefined || !isRoot()) {
    const why = isRoot() ? 'there is no apt-get here' : 'installing them needs root';
    throw new Plain(
      `Missing for ${purpose}: ${missing.map(({ program }) => program).join(', ')}; ${why}. ${how}`,
    );
  }
  console.log(`Installing ${packages.join(', ')} for ${purpose} …`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['install', '-y', '-q', '--no-install-recommends', ...packages];
  /** @type {import('node:child_process').SpawnOptions} */
  const options = { env, stdio: ['ignore', 'ignore', 'inherit'] };
  const done =
    (await run('apt-get', install, { ...options, stdio: 'ignore' })) ||
    ((await run('apt-get', ['update', '-q'], options)) && (await run('apt-get', install, options)));
  if (!done) {
    throw new Plain(
      `apt-get could not install ${packages.join(', ')}, needed for ${purpose}: see its messages ` +
        'above. Check the network, or install the packages by hand.',
    );
  }
}
