/**
 * The guest that is measured: the template `micro`, with the rows added as a second archive behind
 * its initramfs (the kernel unpacks both), as one image for all sides. Also a site for the page: the
 * built one, but with this image as its only template, `bench`.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { writeCpio } from '../guests/lib/cpio.mjs';
import { type ImageFile, type Manifest, parseManifest } from '../src/machine/manifest.ts';
import { buildProgram, PROGRAMS } from './program.ts';
import { guestFile, ROWS } from './rows.ts';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MICRO = join(ROOT, 'images/micro');
const SITE = join(ROOT, 'dist');
const OUTPUT = join(ROOT, 'build/bench');

export interface BenchImage {
  readonly kernel: string;
  readonly initrd: string;
  readonly append: string;
  /** The folder that the page is served from. */
  readonly site: string;
}

export const TEMPLATE = 'bench';

/** Makes the image and the site anew: that takes less than a second. */
export function buildImage(): BenchImage {
  const description = join(MICRO, 'manifest.json');
  const micro = parseManifest(readFileSync(description, 'utf8'), description);
  if (!micro.initrd) throw new Error('The template micro has no initrd to add the rows to.');
  const site = join(OUTPUT, 'site');
  rmSync(OUTPUT, { recursive: true, force: true });
  const folder = join(site, 'images', TEMPLATE);
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(SITE)) {
    if (name !== 'images') symlinkSync(join(SITE, name), join(site, name));
  }

  const initrd = Buffer.concat([readFileSync(join(MICRO, micro.initrd.file)), extraArchive()]);
  const file = join(folder, 'initrd');
  writeFileSync(file, initrd);
  const packed = gzipSync(initrd, { level: 6 });
  writeFileSync(`${file}.gz`, packed);
  for (const { file: name } of [micro.kernel, ...(micro.kernel.gz ? [micro.kernel.gz] : [])]) {
    if (existsSync(join(MICRO, name))) symlinkSync(join(MICRO, name), join(folder, name));
  }
  const manifest: Manifest = {
    ...micro,
    name: TEMPLATE,
    initrd: { ...described('initrd', initrd), gz: described('initrd.gz', packed) },
  };
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
  const template = { name: TEMPLATE, title: 'Bench', description: 'The template micro, measured.' };
  const catalogue = {
    format: 1,
    templates: [{ ...template, manifest: `${TEMPLATE}/manifest.json` }],
  };
  writeFileSync(join(site, 'images/index.json'), JSON.stringify(catalogue));
  return { kernel: join(MICRO, micro.kernel.file), initrd: file, append: micro.append, site };
}

function extraArchive(): Buffer {
  const script = readFileSync(fileURLToPath(new URL('guest/bench', import.meta.url)));
  return writeCpio([
    { path: 'bin/bench', type: 'file', mode: 0o755, data: script },
    ...ROWS.map((row) => ({
      path: `bench/rows/${row.name}`,
      type: 'file' as const,
      data: guestFile(row),
    })),
    ...PROGRAMS.map((name) => ({
      path: `bench/bin/${name}`,
      type: 'file' as const,
      mode: 0o755,
      data: buildProgram(name),
    })),
  ]);
}

function described(file: string, data: Buffer): ImageFile {
  return { file, size: data.length, sha256: createHash('sha256').update(data).digest('hex') };
}
