/**
 * Files of the repository that the command line uses: guest images and the built core. Relies on
 * being below the folder that holds bin/tabvisor, as source or as bundle; what it reads is checked
 * by size and SHA-256 against the manifest.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { messageOf, UserError } from '../machine/errors.ts';
import {
  type ImageFile,
  type Manifest,
  parseCatalogue,
  parseManifest,
  type Template,
} from '../machine/manifest.ts';

function findRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'bin/tabvisor')) || folder === dirname(folder)) return folder;
  }
}

const root = findRoot();
const images = join(root, 'images');

/** The version in package.json, which is also there where the sources are not. */
export async function version(): Promise<string> {
  const text = await readInput(join(root, 'package.json'), 'The description');
  return v.parse(v.object({ version: v.string() }), JSON.parse(text.toString('utf8'))).version;
}

/** A guest that can be started by name. */
export interface LoadedTemplate {
  readonly manifest: Manifest;
  readonly kernel: Uint8Array;
  readonly initrd?: Uint8Array;
  /** Path of the root disk's manifest. */
  readonly disk?: string;
}

export async function listTemplates(): Promise<readonly Template[]> {
  const file = join(images, 'index.json');
  if (!existsSync(file)) {
    throw new UserError('There are no guest images yet. Make them with "npm run guests".');
  }
  return parseCatalogue(await readFile(file, 'utf8'), file).templates;
}

/** The template that is meant when none is named. */
export const DEFAULT_TEMPLATE = 'micro';

/** A template's manifest, and the folder that its files lie in. */
export async function findTemplate(name: string): Promise<{ manifest: Manifest; folder: string }> {
  const templates = await listTemplates();
  const template = templates.find((one) => one.name === name);
  if (!template) {
    const names = templates.map((one) => one.name).join(', ') || 'none';
    throw new UserError(`There is no template "${name}". There is: ${names}.`);
  }
  const file = join(images, template.manifest);
  const manifest = parseManifest((await readInput(file, 'The manifest')).toString('utf8'), file);
  return { manifest, folder: dirname(file) };
}

export async function loadTemplate(name: string): Promise<LoadedTemplate> {
  const { manifest, folder } = await findTemplate(name);
  const [kernel, initrd, disk] = await Promise.all([
    readVerified(folder, manifest.kernel),
    manifest.initrd && readVerified(folder, manifest.initrd),
    manifest.disk && readVerified(folder, manifest.disk),
  ]);
  return {
    manifest,
    kernel,
    initrd,
    ...(manifest.disk && disk && { disk: join(folder, manifest.disk.file) }),
  };
}

async function readVerified(
  folder: string,
  { file, size, sha256 }: ImageFile,
): Promise<Uint8Array> {
  const path = join(folder, file);
  const data = await readInput(path, 'The image file');
  if (data.length !== size || createHash('sha256').update(data).digest('hex') !== sha256) {
    throw new UserError(
      `The image file ${path} is not what its manifest says. Make it again with "npm run guests".`,
    );
  }
  return data;
}

/** Reads a file that a person named. `what` begins the sentence of an error. */
export async function readInput(path: string, what: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new UserError(`${what} ${path} cannot be read: ${reasonOf(error)}.`);
  }
}

/** Why a file operation failed, in words. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return reasons[code] ?? messageOf(error);
}

const reasons: Record<string, string> = {
  ENOENT: 'it does not exist',
  EACCES: 'permission is denied',
  EPERM: 'permission is denied',
  EISDIR: 'it is a folder',
  EROFS: 'its file system is read-only',
  ENOTDIR: 'a part of its path is no folder',
  EBUSY: 'it is in use',
};

/** Translations made ahead of time for that core; undefined where none have been built. */
export async function loadTranslations(): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const file = join(root, 'build/translations.wasm');
  return existsSync(file) ? new Uint8Array(await readFile(file)) : undefined;
}

/** The CPU core, compiled for memory that is not shared: the command line runs one hart. */
export async function loadCore(): Promise<WebAssembly.Module> {
  const file = join(root, 'build/core.wasm');
  if (!existsSync(file)) {
    throw new UserError('The CPU core has not been built. Build it with "npm run build:core".');
  }
  return WebAssembly.compile(await readFile(file));
}
