/** The files that a recipe puts into its guest, as entries of an archive. */
import { readFileSync, statSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { filesUnder } from '../../tools/lib/fingerprint.mjs';
import type { Recipe, RecipeFile } from './recipe.ts';
import type { TarEntry } from './tar.ts';

/** Entries for a recipe's files; what `from` names is relative to `folder`. */
export function recipeFiles(recipe: Recipe, folder: string): TarEntry[] {
  return recipe.files.flatMap((file) => entriesOf(file, folder));
}

function entriesOf({ to, from, text, link, mode }: RecipeFile, folder: string): TarEntry[] {
  const path = to.slice(1);
  const bits = mode === undefined ? undefined : Number.parseInt(mode, 8);
  if (link !== undefined) return [{ path, type: 'link', mode: 0o777, target: link }];
  if (text !== undefined) {
    return [{ path, type: 'file', mode: bits ?? 0o644, data: Buffer.from(text) }];
  }
  const source = resolve(folder, from ?? '');
  return filesUnder(source).map((file): TarEntry => {
    const inside = relative(source, file);
    return {
      path: inside === '' ? path : `${path}/${inside}`.replace(/^\//, ''),
      type: 'file',
      mode: bits ?? (statSync(file).mode & 0o100 ? 0o755 : 0o644),
      data: readFileSync(file),
    };
  });
}
