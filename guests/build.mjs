/**
 * Makes the guest images under images/ from the recipes here: `node guests/build.mjs`. Relies on
 * Node and apt alone (see tools/lib/debian.mjs). Guarantees images/index.json and, for each
 * template, a manifest whose sizes and digests are those of the files beside it; an image whose
 * recipe and tools have not changed is left as it is.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { filesUnder, fingerprint, isFresh } from '../tools/lib/fingerprint.mjs';
import { withLock } from '../tools/lib/lock.mjs';
import { Plain, run } from '../tools/lib/shell.mjs';
import { buildMicro } from './lib/micro.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const guests = join(root, 'guests');
const images = join(root, 'images');
const templates = ['micro'];

/**
 * @typedef {object} Image what a recipe yields
 * @property {Buffer} kernel
 * @property {Buffer} initrd
 * @property {Record<string, string>} packages versions by name
 */

/** @param {string} template */
function currentKey(template) {
  return fingerprint(root, [
    ...filesUnder(join(guests, template)),
    ...filesUnder(join(guests, 'lib'), (file) => file.endsWith('.mjs')),
    ...filesUnder(join(guests, 'common')),
    join(guests, 'build.mjs'),
  ]);
}

/** @param {string} template */
function outputs(template) {
  const files = ['manifest.json', 'kernel', 'initrd', 'kernel.gz', 'initrd.gz'];
  return files.map((name) => join(images, template, name));
}

/** @param {string} name @param {string} key */
function isUpToDate(name, key) {
  return isFresh(join(images, name, '.stamp'), key, outputs(name)) && isWhole(name);
}

/** Whether an image's files are what its manifest says: a damaged one is made again. @param {string} name */
function isWhole(name) {
  const folder = join(images, name);
  try {
    const { kernel, initrd } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
    return [kernel, kernel.gz, initrd, initrd.gz].every(
      ({ file, sha256 }) =>
        createHash('sha256')
          .update(readFileSync(join(folder, file)))
          .digest('hex') === sha256,
    );
  } catch {
    return false;
  }
}

/** True when every image matches its recipe. */
export function imagesAreFresh() {
  return (
    existsSync(join(images, 'index.json')) &&
    templates.every((name) => isUpToDate(name, currentKey(name)))
  );
}

/** Makes the images that are missing or stale. @param {(line: string) => void} [log] */
export async function buildImages(log = console.log) {
  if (imagesAreFresh()) return;
  mkdirSync(images, { recursive: true });
  await withLock(join(images, '.lock'), async () => {
    if (imagesAreFresh()) return;
    for (const template of templates) {
      const key = currentKey(template);
      if (isUpToDate(template, key)) continue;
      log(`Making the guest image ${template} …`);
      const recipe = JSON.parse(readFileSync(join(guests, template, 'recipe.json'), 'utf8'));
      const image = await buildMicro(recipe, join(guests, template, 'root'), log);
      const { kernel, initrd } = store(template, key, recipe, image);
      log(
        `${template}: kernel ${megabytes(kernel.size)} (${megabytes(kernel.gz.size)} compressed), ` +
          `initramfs ${megabytes(initrd.size)} (${megabytes(initrd.gz.size)} compressed)`,
      );
    }
    listImages();
  });
}

/** Writes the list of all images that are there: micro, and those made from recipes. */
export function listImages() {
  const names = readdirSync(images).filter(
    (name) => !name.startsWith('.') && existsSync(join(images, name, 'manifest.json')),
  );
  const rest = names.filter((name) => !templates.includes(name)).sort();
  const index = [...templates.filter((name) => names.includes(name)), ...rest].map((name) => {
    const manifest = JSON.parse(readFileSync(join(images, name, 'manifest.json'), 'utf8'));
    const { title, description, disk } = manifest;
    const entry = { name, title, description, manifest: `${name}/manifest.json` };
    return disk ? { ...entry, disk: true } : entry;
  });
  const file = join(images, 'index.json');
  writeFileSync(`${file}.draft`, json({ format: 1, templates: index }));
  renameSync(`${file}.draft`, file);
}

/**
 * Writes an image beside the old one and puts it in its place in one step.
 * @param {string} template
 * @param {string} key
 * @param {{ title: string, description: string, append: string, memory: { default: number, minimum: number } }} recipe
 * @param {Image} image
 */
function store(template, key, { title, description, append, memory }, image) {
  const draft = join(images, `.${template}.draft`);
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft);
  const put = (/** @type {string} */ file, /** @type {Buffer} */ bytes) => {
    writeFileSync(join(draft, file), bytes);
    return { file, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  };
  const putBoth = (/** @type {string} */ file, /** @type {Buffer} */ bytes) => ({
    ...put(file, bytes),
    gz: put(`${file}.gz`, gzipSync(bytes, { level: 9 })),
  });
  const manifest = {
    format: 1,
    name: template,
    title,
    description,
    kernel: putBoth('kernel', image.kernel),
    initrd: putBoth('initrd', image.initrd),
    append,
    memory,
    packages: image.packages,
  };
  put('manifest.json', Buffer.from(json(manifest)));
  put('.stamp', Buffer.from(key));
  rmSync(join(images, template), { recursive: true, force: true });
  renameSync(draft, join(images, template));
  return manifest;
}

/** @param {unknown} value */
function json(value) {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** Recipes are made by TypeScript that needs npm's packages and the core. @param {string[]} files */
async function makeRecipes(files) {
  await buildImages();
  if (!existsSync(join(root, 'node_modules/rolldown'))) {
    throw new Plain('The npm packages that make images from recipes are missing. Run "npm ci".');
  }
  const program = join(root, 'tools/run-ts.mjs');
  const args = [program, join(guests, 'make/main.ts'), ...files];
  if (!(await run(process.execPath, args))) process.exit(1);
}

/** @param {number} bytes */
function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    if (process.argv[2] === 'make') {
      await makeRecipes(process.argv.slice(3));
      process.exit();
    }
    await buildImages();
    console.log(
      `Guest images are in ${relative(process.cwd(), images) || '.'}: ${templates.join(', ')}`,
    );
  } catch (error) {
    console.error(error instanceof Plain ? error.message : error);
    process.exit(1);
  }
}
