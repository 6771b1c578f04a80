/**
 * Makes a guest image from a recipe, in stages that are kept: packages → unpacked tree → configured
 * → finished (the recipe's files and commands) → chunks. Each stage has a fingerprint of what it is
 * made of, the stage before included, so that a change of the recipe repeats only what it must.
 * Guarantees that images/NAME is replaced only by an image that is whole.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { formatDiskImage, parseDiskImage, storedSize } from '../../src/storage/image/manifest.ts';
import { debianPackages } from '../../tools/lib/debian.mjs';
import { filesUnder, fingerprint, isFresh } from '../../tools/lib/fingerprint.mjs';
import { withLock } from '../../tools/lib/lock.mjs';
import { capture, lastWords, Plain } from '../../tools/lib/shell.mjs';
import { busyboxProgram, kernelFiles } from '../lib/micro.mjs';
import { configureScript, runInGuest } from './configure.ts';
import { storeDisk } from './disk.ts';
import { finishExt4, makeExt4 } from './ext4.ts';
import { recipeFiles } from './files.ts';
import { makeInitrd, ROOT_APPEND, rootModules } from './initrd.ts';
import { readRecipe } from './recipe.ts';
import { makeSnapshot } from './snapshot.ts';
import { type TarEntry, tarEnd, tarEntry } from './tar.ts';
import { writeTree } from './tree.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const guests = join(root, 'guests');
/** Memory of the machine that configures. */
const CONFIGURE_MB = 1024;

export interface MakeOptions {
  readonly images?: string;
  readonly cache?: string;
  readonly log?: (line: string) => void;
  readonly progress?: (progress: Progress) => void;
}

/** Where the making of an image is. */
export interface Progress {
  readonly stage: 'packages' | 'unpack' | 'configure' | 'finish' | 'chunks' | 'snapshot';
  /** What is going on, for a person. */
  readonly text: string;
}

/** Makes the image of a recipe when it is missing or stale; returns the template's name. */
export async function makeImage(file: string, options: MakeOptions = {}): Promise<string> {
  const { recipe, folder } = readRecipe(file);
  const log = options.log ?? console.log;
  const progress = options.progress ?? (() => {});
  const images = options.images ?? join(root, 'images');
  const work = join(options.cache ?? join(root, '.cache/guests'), recipe.name);
  const image = join(images, recipe.name);
  mkdirSync(work, { recursive: true });
  await withLock(join(work, 'lock'), async () => {
    const started = performance.now();
    progress({ stage: 'packages', text: 'Fetching packages' });
    const packages = await debianPackages('riscv64', recipe.packages, { closure: true, log });
    const kernel = await kernelFiles(recipe.kernel.package, log);
    const busybox = await busyboxProgram('busybox-static', log);
    const digests = (list: readonly { name: string; sha256: string }[]) =>
      list.map(({ name, sha256 }) => `${name} ${sha256}`).join('\n');

    const archive = join(work, 'archive.tar');
    const unpackedKey = key(
      'unpacked',
      ['tree.ts', 'dpkg.ts', 'tar.ts', 'ext4.ts'],
      [
        digests(packages),
        digests(kernel.packages),
        JSON.stringify([recipe.exclude, recipe.include, recipe.disk.size, recipe.kernel.modules]),
      ],
    );
    const configuredKey = key(unpackedKey, ['configure.ts']);
    const files = recipeFiles(recipe, folder);
    const finishedKey = key(
      configuredKey,
      ['files.ts'],
      [
        JSON.stringify(recipe.commands),
        ...files.map((one) => JSON.stringify([one.path, one.mode, one.target, digest(one.data)])),
      ],
    );
    const imageKey = key(
      finishedKey,
      ['disk.ts', 'initrd.ts', 'make.ts'],
      [
        digests(busybox.packages),
        JSON.stringify([recipe.title, recipe.description, recipe.append, recipe.memory]),
      ],
    );
    const stamp = join(image, '.stamp');
    if (isFresh(stamp, imageKey, [join(image, 'manifest.json')])) return;
    const stage = async (
      name: string,
      stageKey: string,
      make: (draft: string) => Promise<string>,
    ) => {
      const path = join(work, `${name}.ext4`);
      if (isFresh(join(work, `${name}.stamp`), stageKey, [path])) return path;
      rmSync(join(work, `${name}.stamp`), { force: true });
      const start = performance.now();
      const draft = join(work, `${name}.draft`);
      rmSync(draft, { force: true });
      const words = await make(draft);
      renameSync(draft, path);
      writeFileSync(join(work, `${name}.stamp`), stageKey);
      log(`${recipe.name}: ${words} (${seconds(start)})`);
      return path;
    };

    const unpack = () =>
      stage('unpacked', unpackedKey, async (draft) => {
        progress({ stage: 'unpack', text: `Unpacking ${packages.length} packages` });
        const exclude = [...recipe.exclude.map((one) => `path-exclude=${one}`)];
        const include = [...recipe.include.map((one) => `path-include=${one}`)];
        const extra: TarEntry[] = await rootModules(recipe.kernel.modules, kernel.files);
        if (exclude.length > 0) {
          const data = Buffer.from(`${[...exclude, ...include].join('\n')}\n`);
          extra.push({ path: 'etc/dpkg/dpkg.cfg.d/recipe', type: 'file', mode: 0o644, data });
        }
        const tree = await writeTree(archive, { ...recipe, packages, extra });
        await makeExt4(draft, archive, recipe.disk.size, unpackedKey);
        rmSync(archive);
        return (
          `${packages.length} packages, ${tree.files} files, ${megabytes(tree.bytes)} unpacked, ` +
          `${megabytes(tree.excluded)} left out`
        );
      });
    const configure = () =>
      stage('configured', configuredKey, async (draft) => {
        copySparse(await unpack(), draft);
        progress({ stage: 'configure', text: 'Configuring packages' });
        let done = 0;
        writeFileSync(archive, tarEnd());
        await runInGuest({
          image: draft,
          archive,
          script: configureScript,
          megabytes: CONFIGURE_MB,
          onLine: (line) => {
            if (process.env.TABVISOR_VERBOSE) log(line);
            if (!line.startsWith('Setting up ')) return;
            done++;
            progress({
              stage: 'configure',
              text: `Configuring packages: ${done} of ${packages.length}`,
            });
          },
        });
        return `${done} packages configured`;
      });
    const finished = await stage('finished', finishedKey, async (draft) => {
      copySparse(await configure(), draft);
      progress({ stage: 'finish', text: 'Running the commands of the recipe' });
      const parts = files.flatMap((one) => tarEntry(one));
      writeFileSync(archive, Buffer.concat([...parts, tarEnd()]));
      const script = [
        'if [ -x /usr/sbin/depmod ]; then for one in $(ls /usr/lib/modules); do depmod "$one"; done; fi',
        ...recipe.commands,
        'rm -rf /var/cache/apt/*.bin /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/*.log',
      ].join('\n');
      const onLine = (line: string) => {
        if (process.env.TABVISOR_VERBOSE) log(line);
      };
      await runInGuest({ image: draft, archive, script, megabytes: CONFIGURE_MB, onLine });
      rmSync(archive);
      await finishExt4(draft);
      return 'files and commands of the recipe';
    });

    progress({ stage: 'chunks', text: 'Compressing the disk' });
    const start = performance.now();
    const draft = join(images, `.${recipe.name}.draft`);
    if (existsSync(image)) rmSync(draft, { recursive: true, force: true });
    // Chunks that the image before has are its own still.
    if (existsSync(image)) renameSync(image, draft);
    mkdirSync(draft, { recursive: true });
    rmSync(join(draft, '.stamp'), { force: true });
    let shown = 0;
    const disk = await storeDisk(finished, draft, (done, size) => {
      const percent = Math.floor((done / size) * 100);
      if (percent === shown) return;
      shown = percent;
      progress({ stage: 'chunks', text: `Compressing the disk: ${percent} %` });
    });
    const put = (name: string, bytes: Buffer) => {
      writeFileSync(join(draft, name), bytes);
      return { file: name, size: bytes.length, sha256: digest(bytes) };
    };
    const putBoth = (name: string, bytes: Buffer) => ({
      ...put(name, bytes),
      gz: put(`${name}.gz`, gzipSync(bytes, { level: 9 })),
    });
    const manifest = {
      format: 1,
      name: recipe.name,
      title: recipe.title,
      description: recipe.description,
      kernel: putBoth('kernel', kernel.kernel),
      initrd: putBoth('initrd', await makeInitrd(busybox.program, kernel.files)),
      disk: putBoth('disk.json', Buffer.from(formatDiskImage(disk))),
      append: [ROOT_APPEND, recipe.append].filter(Boolean).join(' '),
      memory: recipe.memory,
      packages: Object.fromEntries(
        [...kernel.packages, ...packages].map(({ name, version }) => [name, version]),
      ),
    };
    put('manifest.json', Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
    put('.stamp', Buffer.from(imageKey));
    rmSync(image, { recursive: true, force: true });
    renameSync(draft, image);
    const download = storedSize(disk) + manifest.kernel.gz.size + manifest.initrd.gz.size;
    log(`${recipe.name}: disk of ${disk.chunks.filter(Boolean).length} chunks (${seconds(start)})`);
    log(
      `${recipe.name}: ${megabytes(download)} compressed (kernel ${megabytes(manifest.kernel.gz.size)}, ` +
        `initramfs ${megabytes(manifest.initrd.gz.size)}, disk ${megabytes(storedSize(disk))}), ` +
        `made in ${seconds(started)}`,
    );
  });
  progress({ stage: 'snapshot', text: 'Starting it once, for the snapshot that it starts from' });
  await makeSnapshot(image, log).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    log(`${recipe.name} has no snapshot to start from and boots each time: ${why}`);
  });
  const disk = join(image, 'disk.json');
  parseDiskImage(readFileSync(disk, 'utf8'), disk);
  return recipe.name;

  function key(before: string, sources: readonly string[], more: readonly string[] = []): string {
    const own = sources.map((name) => join(guests, 'make', name));
    const lib = filesUnder(join(guests, 'lib'), (one) => one.endsWith('.mjs'));
    return fingerprint(root, [...own, ...lib], [before, ...more].join('\n\n'));
  }
}

function digest(bytes: Uint8Array = new Uint8Array(0)): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Copies a sparse file as one; where the file system can share, nothing is copied. */
function copySparse(from: string, to: string): void {
  const { ok, stderr } = capture('cp', ['--sparse=always', '--reflink=auto', from, to]);
  if (!ok) throw new Plain(`The disk ${from} could not be copied: ${lastWords(stderr, 1)}.`);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function seconds(start: number): string {
  return `${((performance.now() - start) / 1000).toFixed(0)} s`;
}
