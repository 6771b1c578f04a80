/**
 * `npm run guests -- make [--progress FILE] RECIPE…`: makes the images of recipes and lists them as
 * templates. With `--progress`, FILE says as JSON what is being made, for the page.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Plain } from '../../tools/lib/shell.mjs';
import { listImages } from '../build.mjs';
import { makeImage, type Progress } from './make.ts';
import { readRecipe } from './recipe.ts';

try {
  const { values, positionals } = parseArgs({
    options: { progress: { type: 'string' } },
    allowPositionals: true,
  });
  if (positionals.length === 0) {
    throw new Plain('Name a recipe, as in "npm run guests -- make guests/small/recipe.json".');
  }
  for (const file of positionals) {
    const { name, title } = readRecipe(file).recipe;
    await makeImage(file, {
      progress: (progress) => {
        if (values.progress !== undefined) report(values.progress, name, title, progress);
      },
    });
    listImages();
    console.log(`The template ${name} is ready: npx tabvisor run --template ${name}`);
  }
} catch (error) {
  console.error(error instanceof Plain ? error.message : error);
  process.exitCode = 1;
}

function report(file: string, name: string, title: string, { stage, text }: Progress): void {
  const state = { format: 1, templates: [{ name, title, stage, text }] };
  writeFileSync(`${file}.draft`, `${JSON.stringify(state)}\n`);
  renameSync(`${file}.draft`, file);
}
