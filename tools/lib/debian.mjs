/**
 * Packages of Debian trixie for any architecture, without root and without touching the machine's
 * own apt: a private state folder under .cache/debian. Node and apt alone. Guarantees that every
 * file it returns is one that apt verified against Debian's signatures when it was fetched, and that
 * it still has the digest recorded then; what is there is used again without the network.
 * Without apt or network, TABVISOR_DEB_DIR names a folder that holds the .deb files.
 */
import { createHash } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readControl } from './deb.mjs';
import { withLock } from './lock.mjs';
import { capture, isRoot, lastWords, Plain, run, which } from './shell.mjs';

const codename = 'trixie';
const cache = fileURLToPath(new URL('../../.cache/debian', import.meta.url));
const keyrings = '/usr/share/keyrings';
/** Pauses between tries: a mirror in the middle of an update is usually whole again soon. */
const retryPauses = [1_000, 5_000];

/**
 * @typedef {object} Package
 * @property {string} name
 * @property {string} version
 * @property {string} file path of the .deb
 * @property {string} sha256
 */

/**
 * Fetches packages, each with all that it depends on when `closure` is set.
 * @param {string} architecture Debian's name for it
 * @param {string[]} names
 * @param {{ closure?: boolean, follow?: RegExp, log?: (line: string) => void, cache?: string }} [options]
 *   `follow`: of a metapackage's dependencies, take those whose names match as well
 * @returns {Promise<Package[]>}
 */
export async function debianPackages(architecture, names, options = {}) {
  const offline = process.env.TABVISOR_DEB_DIR;
  if (offline) return fromFolder(offline, architecture, names, options);
  const folder = join(options.cache ?? cache, `${codename}-${architecture}`);
  mkdirSync(folder, { recursive: true });
  return withLock(join(folder, 'lock'), async () => {
    const kept = await fromCache(folder, names, options);
    if (kept) return kept;
    const log = options.log ?? console.log;
    const apt = await openApt(folder, architecture, names, log);
    const wanted = apt.resolve(names, options);
    const bytes = wanted.reduce((sum, { size }) => sum + size, 0);
    log(
      `Fetching ${wanted.length} packages of Debian ${codename} for ${architecture} ` +
        `(${Math.round(bytes / 1e6)} MB) …`,
    );
    const packages = await apt.download(wanted);
    remember(folder, names, options, packages);
    return packages;
  });
}

/** Debian's name for the architecture that this process runs on. */
export function hostArchitecture() {
  /** @type {Record<string, string>} */
  const names = {
    x64: 'amd64',
    arm64: 'arm64',
    ia32: 'i386',
    riscv64: 'riscv64',
    ppc64: 'ppc64el',
  };
  const name = names[process.arch];
  if (!name)
    throw new Plain(`Debian ${codename} has no packages for this processor (${process.arch}).`);
  return name;
}

// ── what was fetched before ──────────────────────────────────────────────────────────────────────

/** @param {string[]} names @param {{ closure?: boolean, follow?: RegExp }} options */
function requestKey(names, { closure = false, follow }) {
  return JSON.stringify([[...names].sort(), closure, follow?.source ?? '']);
}

/**
 * @param {string} folder
 * @returns {Record<string, Package[]>} file names here are relative to the archive folder
 */
function readIndex(folder) {
  const file = join(folder, 'index.json');
  try {
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  } catch {
    return {}; // damaged: fetch again
  }
}

/**
 * @param {string} folder
 * @param {string[]} names
 * @param {{ closure?: boolean, follow?: RegExp }} options
 * @returns {Promise<Package[] | undefined>}
 */
async function fromCache(folder, names, options) {
  const entries = readIndex(folder)[requestKey(names, options)];
  if (!entries) return undefined;
  const packages = entries.map((entry) => ({
    ...entry,
    file: join(folder, 'archives', entry.file),
  }));
  for (const { file, sha256 } of packages) {
    if (!existsSync(file) || (await sha256Of(file)) !== sha256) return undefined;
  }
  return packages;
}

/**
 * @param {string} folder
 * @param {string[]} names
 * @param {{ closure?: boolean, follow?: RegExp }} options
 * @param {Package[]} packages
 */
function remember(folder, names, options, packages) {
  const index = readIndex(folder);
  const archives = join(folder, 'archives/');
  index[requestKey(names, options)] = packages.map((entry) => ({
    ...entry,
    file: entry.file.slice(archives.length),
  }));
  const file = join(folder, 'index.json');
  writeFileSync(`${file}.draft`, `${JSON.stringify(index, null, 1)}\n`);
  renameSync(`${file}.draft`, file);
}

/** @param {string} file @returns {Promise<string>} */
async function sha256Of(file) {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest('hex');
}

// ── apt with a state folder of its own ───────────────────────────────────────────────────────────

/**
 * @typedef {{ name: string, version: string, fileName: string, size: number, sha256: string }} Wanted
 * @typedef {object} Apt
 * @property {(names: string[], options: { closure?: boolean, follow?: RegExp }) => Wanted[]} resolve
 * @property {(wanted: Wanted[]) => Promise<Package[]>} download
 */

/**
 * Brings the package lists up to date.
 * @param {string} folder
 * @param {string} architecture
 * @param {string[]} names for the sentence when it cannot be done
 * @param {(line: string) => void} log
 * @returns {Promise<Apt>}
 */
async function openApt(folder, architecture, names, log) {
  const byHand =
    `put the .deb files of Debian ${codename}, architecture ${architecture} ` +
    `(${names.join(', ')} and what they need), in a folder and name it in TABVISOR_DEB_DIR`;
  if (which('apt-get') === undefined) {
    throw new Plain(
      `apt-get, which fetches Debian's packages, is missing here. Install apt, or ${byHand}.`,
    );
  }
  const keys = await trustedKeys(folder, byHand);
  for (const part of ['lists/partial', 'cache/archives/partial', 'archives', 'empty']) {
    mkdirSync(join(folder, part), { recursive: true });
  }
  writeFileSync(join(folder, 'status'), '');
  const configuration = join(folder, 'apt.conf');
  writeFileSync(configuration, privateConfiguration(folder, architecture));
  const env = { ...process.env, APT_CONFIG: configuration, LC_ALL: 'C.UTF-8' };
  /** @param {string} tool @param {string[]} args @param {string} [place] below the folder */
  const apt = (tool, args, place = 'empty') =>
    capture(tool, args, { env, cwd: join(folder, place) });

  let words = '';
  const attempts = mirrors().flatMap((mirror) => [
    ...[0, ...retryPauses].map((pause) => ({ mirror, suite: codename, pause })),
    { mirror, suite: 'stable', pause: 0 },
  ]);
  /** @type {Set<string>} */
  const unreachable = new Set();
  for (const { mirror, suite, pause } of attempts) {
    if (unreachable.has(mirror)) continue;
    if (pause > 0) await sleep(pause);
    writeFileSync(
      join(folder, 'debian.sources'),
      `Types: deb\nURIs: ${mirror}\nSuites: ${suite}\nComponents: main\nSigned-By: ${keys}\n`,
    );
    const update = apt('apt-get', [
      ...['update', '-q', '-o', 'APT::Update::Error-Mode=any'],
      ...['-o', 'Acquire::Retries=1'], // what is worth more tries is tried again here
    ]);
    words = reason(update.stderr);
    // Older apt ends well although an index failed: the list itself decides.
    if (update.ok && listedCodename(join(folder, 'lists')) === codename) {
      return { resolve: (n, o) => resolve(apt, n, o), download: (w) => download(apt, folder, w) };
    }
    if (noNetwork.test(update.stderr)) {
      unreachable.add(mirror);
      continue;
    }
    log(
      `Debian's package lists (${suite} of ${mirror}) could not be read: ${words || 'wrong release'}.`,
    );
  }
  if (unreachable.size > 0) {
    throw new Plain(
      `The package lists of Debian ${codename} are missing, and there is no way to ` +
        `${[...unreachable].join(' or ')} (${words}). Check the network and try again, or ${byHand}.`,
    );
  }
  throw new Plain(
    `The package lists of Debian ${codename} could not be fetched (${words}). ` +
      `Check the network and try again, or ${byHand}.`,
  );
}

/**
 * One keyring of the keys that sign this release, from the machine's own copy of Debian's keys.
 * @param {string} folder
 * @param {string} byHand
 */
async function trustedKeys(folder, byHand) {
  const find = () => {
    if (!existsSync(keyrings)) return [];
    const all = readdirSync(keyrings).filter((name) => /^debian-archive-.*\.(gpg|pgp)$/.test(name));
    const own = all.filter((name) => name.includes(`-${codename}-`));
    return own.length > 0 ? own : all.filter((name) => name.startsWith('debian-archive-keyring.'));
  };
  if (find().length === 0 && isRoot()) {
    await run('apt-get', ['install', '-y', '-q', 'debian-archive-keyring'], { stdio: 'ignore' });
  }
  const names = find();
  if (names.length === 0) {
    throw new Plain(
      "Debian's signing keys are missing here. Install the package debian-archive-keyring as root, " +
        `or ${byHand}.`,
    );
  }
  // A binary keyring is a sequence of packets, so keyrings join end to end. The same key as .gpg and
  // .pgp would do no harm, but once is enough.
  const bases = new Map(names.map((name) => [name.replace(/\.(gpg|pgp)$/, ''), name]));
  const file = join(folder, 'keys.gpg');
  writeFileSync(
    file,
    Buffer.concat([...bases.values()].map((n) => readFileSync(join(keyrings, n)))),
  );
  return file;
}

/**
 * apt's whole configuration for our calls. Of the machine's own, only how to reach the network
 * (proxies, certificates, time-outs) is taken over: its hooks and folders are none of ours.
 * @param {string} folder
 * @param {string} architecture
 */
function privateConfiguration(folder, architecture) {
  const network = capture('apt-config', ['dump'])
    .stdout.toString()
    .split('\n')
    .filter((line) => /^Acquire::(https?|ftp|Retries|ForceIPv|Check-|Proxy)/i.test(line));
  const quote = (/** @type {string} */ text) => `"${text}"`;
  return [
    'Acquire::http::Timeout "15";',
    'Acquire::https::Timeout "15";',
    ...network,
    'Dir::Etc::main "/dev/null";',
    'Dir::Etc::parts "/dev/null";',
    'Dir::Etc::preferences "/dev/null";',
    'Dir::Etc::preferencesparts "/dev/null";',
    `Dir::Etc::sourcelist ${quote(join(folder, 'debian.sources'))};`,
    'Dir::Etc::sourceparts "/dev/null";',
    `Dir::State ${quote(folder)};`,
    `Dir::State::lists ${quote(join(folder, 'lists'))};`,
    `Dir::State::status ${quote(join(folder, 'status'))};`,
    `Dir::Cache ${quote(join(folder, 'cache'))};`,
    `APT::Architecture ${quote(architecture)};`,
    `APT::Architectures { ${quote(architecture)}; };`,
    'APT::Get::AllowUnauthenticated "false";',
    'Acquire::Languages "none";',
    // As root apt would fetch as user _apt, who may not enter this folder.
    ...(isRoot() ? ['APT::Sandbox::User "root";'] : []),
    '',
  ].join('\n');
}

/** apt's words where the mirror was not reached at all: trying it again at once changes nothing. */
const noNetwork =
  /Could not resolve|Temporary failure resolving|Something wicked happened resolving|Could not connect|Cannot initiate the connection|Unable to connect|Connection (refused|timed out)|Network is unreachable|No route to host/i;

/** What apt complains about, in one line. @param {string} stderr */
function reason(stderr) {
  if (/unexpected size|Hash Sum mismatch/i.test(stderr)) {
    return 'an index does not fit its release file, as in the middle of a mirror update';
  }
  const line = stderr.split('\n').find((text) => text.startsWith('E: ')) ?? lastWords(stderr, 1);
  return line.replace(/^E: /, '').replace(/\s+/g, ' ').replace(/\.$/, '').trim();
}

/** Debian mirrors to try: the machine's own first. */
function mirrors() {
  const listed = capture('apt-get', [
    'indextargets',
    '--format',
    '$(REPO_URI) $(RELEASE)',
    'Created-By: Packages',
  ]);
  const own = listed.stdout
    .toString()
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([uri = '', release = '']) => !/security/.test(`${uri} ${release}`))
    .map(([uri = '']) => uri.replace(/\/$/, ''))
    .filter((uri) => /\/debian(\/|$)/.test(uri) && !/snapshot\.debian\.org/.test(uri));
  return [...new Set([...own, 'http://deb.debian.org/debian'])].slice(0, 3);
}

/** The code name in the release file that apt verified. @param {string} lists */
function listedCodename(lists) {
  const names = readdirSync(lists);
  const release = names.find((name) => name.endsWith('_InRelease') || name.endsWith('_Release'));
  if (!release || !names.some((name) => /_Packages(\.\w+)?$/.test(name))) return undefined;
  return /^Codename: (\S+)$/m.exec(readFileSync(join(lists, release), 'utf8'))?.[1];
}

/**
 * @param {(tool: string, args: string[]) => ReturnType<typeof capture>} apt
 * @param {string[]} names
 * @param {{ closure?: boolean, follow?: RegExp }} options
 * @returns {Wanted[]}
 */
function resolve(apt, names, { closure = false, follow }) {
  const all = [...names];
  if (follow) {
    for (const name of names) {
      const { stdout } = apt('apt-cache', ['show', '--no-all-versions', name]);
      const depends = /^Depends: (.*)$/m.exec(stdout.toString())?.[1] ?? '';
      all.push(...dependencyNames(depends).filter((dependency) => follow.test(dependency)));
    }
  }
  let named = [...new Set(all)];
  let words = '';
  if (closure) {
    const install = ['install', '--print-uris', '-qq', '-y', '--no-install-recommends', ...named];
    const { stdout, stderr } = apt('apt-get', install);
    named = [...stdout.toString().matchAll(/^'[^']*' ([^_\s]+)_\S+ \d+/gm)].map(([, n = '']) => n);
    words = lastWords(stderr);
  }
  // Only `download` tells the SHA-256 of each; it leaves out files that are in the current folder,
  // so this runs where there are none.
  const { ok, stdout, stderr } =
    named.length > 0
      ? apt('apt-get', ['download', '--print-uris', '-qq', ...named])
      : { ok: false, stdout: '', stderr: words };
  const wanted = stdout
    .toString()
    .split('\n')
    .flatMap((line) => {
      const match = /^'[^']*' (\S+) (\d+) SHA256:([0-9a-f]{64})$/.exec(line.trim());
      if (!match) return [];
      const [, fileName = '', size = '', sha256 = ''] = match;
      const [name = '', version = ''] = fileName.split('_');
      return [{ name, version: decodeURIComponent(version), fileName, size: Number(size), sha256 }];
    });
  if (!ok || wanted.length === 0) {
    throw new Plain(`apt does not know how to get ${all.join(', ')}: ${lastWords(stderr)}.`);
  }
  return wanted;
}

/** Names in a Depends field, versions and alternatives left out. @param {string} field */
function dependencyNames(field) {
  return field
    .split(',')
    .map((part) => /^\s*([a-z0-9][a-z0-9+.-]*)/.exec(part)?.[1] ?? '')
    .filter(Boolean);
}

/**
 * @param {(tool: string, args: string[], place?: string) => ReturnType<typeof capture>} apt
 * @param {string} folder
 * @param {Wanted[]} wanted
 * @returns {Promise<Package[]>}
 */
async function download(apt, folder, wanted) {
  const packages = wanted.map(({ name, version, fileName, sha256 }) => ({
    name,
    version,
    sha256,
    file: join(folder, 'archives', fileName),
  }));
  let words = '';
  for (const pause of [0, ...retryPauses]) {
    if (pause > 0) await sleep(pause);
    const missing = [];
    for (const entry of packages) {
      const whole = existsSync(entry.file) && (await sha256Of(entry.file)) === entry.sha256;
      if (!whole) missing.push(`${entry.name}=${entry.version}`);
    }
    if (missing.length === 0) return packages;
    const { stderr } = apt('apt-get', ['download', '-qq', ...missing], 'archives');
    words = lastWords(stderr);
  }
  throw new Plain(
    `Packages of Debian ${codename} could not be fetched whole (${words || 'digests differ'}). ` +
      'Check the network and the free space on the disk, then try again.',
  );
}

// ── a folder of .deb files ───────────────────────────────────────────────────────────────────────

/**
 * @param {string} folder
 * @param {string} architecture
 * @param {string[]} names
 * @param {{ closure?: boolean, follow?: RegExp }} options
 * @returns {Promise<Package[]>}
 */
async function fromFolder(folder, architecture, names, { closure = false, follow }) {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new Plain(
      `TABVISOR_DEB_DIR names ${folder}, which is no folder. Name the one with the .deb files.`,
    );
  }
  /** @type {Map<string, Package & { depends: string[], provides: string[] }>} */
  const present = new Map();
  for (const fileName of readdirSync(folder)
    .filter((name) => name.endsWith('.deb'))
    .sort()) {
    const file = join(folder, fileName);
    const control = await readControl(file);
    if (control.Architecture !== architecture && control.Architecture !== 'all') continue;
    const { Package: name = '', Version: version = '' } = control;
    const depends = [control['Pre-Depends'] ?? '', control.Depends ?? ''].flatMap(dependencyNames);
    const provides = dependencyNames(control.Provides ?? '');
    present.set(name, { name, version, file, sha256: await sha256Of(file), depends, provides });
  }
  /** @param {string} name */
  const find = (name) =>
    present.get(name) ?? [...present.values()].find((entry) => entry.provides.includes(name));
  /** @type {Map<string, Package>} */
  const chosen = new Map();
  /** @type {string[]} */
  const missing = [];
  const queue = [...names];
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    const entry = find(name);
    // A metapackage only points at the real one, which serves without it.
    const stand =
      entry ??
      (follow?.test(name)
        ? [...present.values()].filter((e) => follow.test(e.name)).at(-1)
        : undefined);
    if (!stand) {
      if (names.includes(name) || closure) missing.push(name);
      continue;
    }
    if (chosen.has(stand.name)) continue;
    const { depends, provides, ...plain } = stand;
    chosen.set(stand.name, plain);
    if (closure) queue.push(...depends);
    else if (follow) queue.push(...depends.filter((dependency) => follow.test(dependency)));
  }
  if (missing.length > 0) {
    throw new Plain(
      `The folder ${folder} (TABVISOR_DEB_DIR) lacks packages for ${architecture}: ${missing.join(', ')}. ` +
        `Add their .deb files of Debian ${codename}.`,
    );
  }
  return [...chosen.values()];
}
