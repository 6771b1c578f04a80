/**
 * The guests that are measured, as one image each for all sides: the templates `micro` and, where it
 * has been made, `debian`, with the rows added as a second archive behind their initramfs (the kernel
 * unpacks both). Also a site for the page: the built one, but with these images as its templates.
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
import { type Node, writeCpio } from '../guests/lib/cpio.mjs';
import {
  type ImageFile,
  type Manifest,
  parseCatalogue,
  parseManifest,
  type Template,
} from '../src/machine/manifest.ts';
import { buildProgram, PROGRAMS } from './program.ts';
import { type GuestName, guestFile, type Row } from './rows.ts';

/** Memory of a measured guest. */
export const MEGABYTES = 512;

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
const IMAGES = join(ROOT, 'images');
const SITE = join(ROOT, 'dist');
const OUTPUT = join(ROOT, 'build/bench');

export interface BenchGuest {
  readonly name: GuestName;
  readonly kernel: string;
  readonly initrd: string;
  readonly append: string;
  /** The manifest of its root disk; a guest without one measures a blank disk. */
  readonly root?: string;
  /** What the page calls it. */
  readonly template: string;
}

export interface BenchImage {
  readonly guests: readonly BenchGuest[];
  /** The folder that the page is served from. */
  readonly site: string;
}

/** How a guest gets at the rows, and which shell reads them. */
const GUESTS: Record<GuestName, { shell: string; append: string; files: Node[] }> = {
  micro: { shell: '/bin/sh', append: '', files: [] },
  debian: {
    // The script wants microseconds of its shell, which dash does not have.
    shell: '/bin/bash',
    append: ' rdinit=/bench/init',
    files: [{ path: 'bench/init', type: 'file', mode: 0o755, data: guestPart('init') }],
  },
};

/** Whether a template has been made. */
export function isMade(name: GuestName): boolean {
  const list = join(IMAGES, 'index.json');
  if (!existsSync(list)) return false;
  const { templates } = parseCatalogue(readFileSync(list, 'utf8'), list);
  return templates.some((template) => template.name === name);
}

/** Makes the images of these guests and the site anew: that takes some seconds at most. */
export function buildImage(names: readonly GuestName[], rows: readonly Row[]): BenchImage {
  const site = join(OUTPUT, 'site');
  rmSync(OUTPUT, { recursive: true, force: true });
  mkdirSync(join(site, 'images'), { recursive: true });
  for (const name of readdirSync(SITE)) {
    if (name !== 'images') symlinkSync(join(SITE, name), join(site, name));
  }
  const guests: BenchGuest[] = [];
  const templates: Template[] = [];
  for (const name of names) {
    const { guest, template } = buildGuest(name, site, rows);
    guests.push(guest);
    templates.push(template);
  }
  writeFileSync(join(site, 'images/index.json'), JSON.stringify({ format: 1, templates }));
  return { guests, site };
}

function buildGuest(
  name: GuestName,
  site: string,
  rows: readonly Row[],
): { guest: BenchGuest; template: Template } {
  const folder = join(IMAGES, name);
  const description = join(folder, 'manifest.json');
  const { snapshot: _, ...original } = parseManifest(
    readFileSync(description, 'utf8'),
    description,
  );
  if (!original.initrd) throw new Error(`The template ${name} has no initrd to add the rows to.`);
  const template = name === 'micro' ? 'bench' : `bench-${name}`;
  const output = join(site, 'images', template);
  mkdirSync(output);
  const own = [original.initrd.file, original.initrd.gz?.file, 'manifest.json', 'snapshot'];
  for (const file of readdirSync(folder)) {
    if (!own.includes(file)) symlinkSync(join(folder, file), join(output, file));
  }
  const before = readFileSync(join(folder, original.initrd.file));
  const initrd = Buffer.concat([before, extraArchive(name, rows)]);
  const file = join(output, 'initrd');
  writeFileSync(file, initrd);
  const packed = gzipSync(initrd, { level: 6 });
  writeFileSync(`${file}.gz`, packed);
  const manifest: Manifest = {
    ...original,
    name: template,
    append: original.append + GUESTS[name].append,
    initrd: { ...described('initrd', initrd), gz: described('initrd.gz', packed) },
  };
  writeFileSync(join(output, 'manifest.json'), JSON.stringify(manifest));
  return {
    guest: {
      name,
      kernel: join(folder, original.kernel.file),
      initrd: file,
      append: manifest.append,
      ...(original.disk && { root: join(folder, original.disk.file) }),
      template,
    },
    template: {
      name: template,
      title: 'Bench',
      description: `The template ${name}, measured.`,
      manifest: `${template}/manifest.json`,
      ...(original.disk && { disk: true }),
    },
  };
}

function extraArchive(name: GuestName, rows: readonly Row[]): Buffer {
  const { shell, files } = GUESTS[name];
  const script = guestPart('bench').replace('#!/bin/sh', `#!${shell}`);
  return writeCpio([
    { path: 'bin/bench', type: 'file', mode: 0o755, data: script },
    ...files,
    ...rows
      .filter(({ guest = 'micro' }) => guest === name)
      .map((row): Node => {
        return { path: `bench/rows/${row.name}`, type: 'file', data: guestFile(row) };
      }),
    ...PROGRAMS.map((program): Node => {
      const data = buildProgram(program);
      return { path: `bench/bin/${program}`, type: 'file', mode: 0o755, data };
    }),
  ]);
}

function guestPart(name: string): string {
  return readFileSync(fileURLToPath(new URL(`guest/${name}`, import.meta.url)), 'utf8');
}

function described(file: string, data: Buffer): ImageFile {
  return { file, size: data.length, sha256: createHash('sha256').update(data).digest('hex') };
}
