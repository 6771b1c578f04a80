/**
 * What must be there before the page can be served or tested, each made only when missing or stale:
 * npm packages, guest images, the CPU core, translations made ahead of time, snapshots that templates start from, the built site. Node alone until the packages are there.
 */
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildImages } from '../../guests/build.mjs';
import { filesUnder, fingerprint, isFresh, isSource } from './fingerprint.mjs';
import { withLock } from './lock.mjs';
import { installPackages } from './npm.mjs';
import { Plain, run } from './shell.mjs';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const site = join(root, 'dist');

const needed = { major: 20, minor: 19 };

/** Refuses a Node that is too old, in words rather than by a syntax error somewhere later. */
export function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > needed.major || (major === needed.major && minor >= needed.minor)) return;
  throw new Plain(
    `Node ${process.versions.node} is too old: Tabvisor needs ${needed.major}.${needed.minor} or ` +
      'later. Install a newer one (for instance from nodesource.com).',
  );
}

/** @type {Promise<void> | undefined} */
let packages;

/** Installs what the lock file names when node_modules does not hold it; tries once in a process. */
export function ensurePackages() {
  packages ??= installPackages(root);
  return packages;
}

/** @type {Promise<void> | undefined} */
let parts;

/** Packages, guest images and core; tries once in a process. */
export function ensureParts() {
  parts ??= makeParts();
  return parts;
}

/** Images and packages load side by side. */
async function makeParts() {
  requireNode();
  const results = await Promise.allSettled([ensurePackages(), buildImages()]);
  const reasons = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason] : [],
  );
  if (reasons.length > 1 && reasons.every((reason) => reason instanceof Plain)) {
    throw new Plain(reasons.map(({ message }) => message).join('\n'));
  }
  if (reasons.length > 0) throw reasons[0];
  const { buildCore } = await import('../build-core.mjs');
  if ((await buildCore()) === 'built') console.log('Built the CPU core.');
  const { buildTranslations } = await import('../build-translations.mjs');
  await buildTranslations();
  await buildSnapshots();
}

/** The snapshot that micro starts from. Without it VMs boot their kernel: that is no failure. */
async function buildSnapshots() {
  const program = join(root, 'tools/run-ts.mjs');
  const args = [program, join(root, 'guests/make/snapshots.ts'), 'micro'];
  if (await run(process.execPath, args, { cwd: root })) return;
  console.error('The template micro has no snapshot to start from: it boots its kernel each time.');
}

function siteKey() {
  const page = [
    ...['src', 'public'].flatMap((part) => filesUnder(join(root, part), isSource)),
    ...[
      'index.html',
      'vite.config.ts',
      'package-lock.json',
      'build/core.stamp',
      'build/translations.stamp',
    ].map((name) => join(root, name)),
    ...filesUnder(join(root, 'tools'), (file) => /vite[^/]*\.mjs$|lib\/setup\.mjs$/.test(file)),
  ].filter((file) => existsSync(file));
  return fingerprint(root, page);
}

/** The built site in dist/, images included, so that any static host can serve the folder. */
export async function ensureSite() {
  const stamp = join(root, 'build/site.stamp');
  mkdirSync(dirname(stamp), { recursive: true });
  await withLock(join(root, 'build/site.lock'), async () => {
    const key = siteKey();
    if (!isFresh(stamp, key, [join(site, 'index.html')])) {
      console.log('Building the page …');
      rmSync(stamp, { force: true });
      const vite = join(root, 'node_modules/vite/bin/vite.js');
      if (!(await run(process.execPath, [vite, 'build', '--logLevel', 'warn'], { cwd: root }))) {
        throw new Plain('The page could not be built: see the messages above.');
      }
      writeFileSync(stamp, key);
    }
    publishImages();
  });
}

/**
 * Puts the files of guest images that the page asks for beside it: manifests, what is compressed,
 * chunks of disks. The list of templates comes last, so that it names nothing that is missing.
 */
export function publishImages() {
  const images = join(root, 'images');
  const files = filesUnder(images, (file) => /\.(json|gz|zst)$/.test(file) && !file.includes('/.'));
  const list = join(images, 'index.json');
  const wanted = [...files.filter((file) => file !== list), list];
  for (const file of wanted) {
    const target = join(site, file.slice(root.length));
    const there = statSync(target, { throwIfNoEntry: false });
    if (there && there.ino === statSync(file).ino) continue;
    mkdirSync(dirname(target), { recursive: true });
    linkOrCopy(file, target);
  }
  const known = new Set(wanted.map((file) => join(site, file.slice(root.length))));
  for (const file of filesUnder(join(site, 'images'))) {
    if (!known.has(file) && file !== progressFile) rmSync(file);
  }
  if (!existsSync(progressFile)) nothingIsMade();
}

/** What the page asks for to learn which templates are being made. */
export const progressFile = join(site, 'images/progress.json');

/** Says that none is. A page that is told so asks no further; a missing file would be an error to it. */
export function nothingIsMade() {
  writeFileSync(progressFile, JSON.stringify({ format: 1, templates: [] }));
}

/** @param {string} from @param {string} to */
function linkOrCopy(from, to) {
  rmSync(to, { force: true });
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}
