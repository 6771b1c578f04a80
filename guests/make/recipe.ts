/**
 * Recipes: what a person writes to have a guest image made (guests/README.md describes each field).
 * A recipe is checked whole before anything is fetched; what does not fit is one sentence. Files that
 * a recipe names lie beside it, or in a folder of the repository's `guests`.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import * as v from 'valibot';
import { Plain } from '../../tools/lib/shell.mjs';

const KIB = 1024;

const Line = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(1000),
  v.regex(/^[^\n\r]*$/, 'is no line'),
);

/** `512M`, `4G` → bytes. */
const Size = v.pipe(
  v.string(),
  v.regex(/^[1-9]\d{0,4}[MG]$/, 'is no size such as "512M" or "4G"'),
  v.transform((text) => Number(text.slice(0, -1)) * KIB ** (text.endsWith('G') ? 3 : 2)),
);

const Name = v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9.-]{0,40}$/, 'is no name of a template'));
const PackageName = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9][a-z0-9+.-]+$/, 'is no name of a package'),
);
const GuestPath = v.pipe(
  v.string(),
  v.regex(
    /^(\/[A-Za-z0-9_@+][A-Za-z0-9._@+-]*|\/\.[A-Za-z0-9_][A-Za-z0-9._@+-]*)+$/,
    'is no absolute path',
  ),
);
/** Of `dpkg --path-exclude`: `*` stands for anything, `?` for one character, `[a-z]` for one of these. */
const Pattern = v.pipe(
  v.string(),
  v.regex(/^\/([A-Za-z0-9._@+*?/-]|\[[A-Za-z0-9-]+\])*$/, 'is no pattern of a path'),
);

const FileSchema = v.pipe(
  v.strictObject({
    /** Where it goes. */
    to: GuestPath,
    /** A file, or a folder with all in it, relative to the recipe. */
    from: v.optional(Line),
    /** The contents themselves. */
    text: v.optional(v.pipe(v.string(), v.maxLength(100_000))),
    /** The target of a symbolic link. */
    link: v.optional(Line),
    mode: v.optional(v.pipe(v.string(), v.regex(/^[0-7]{3,4}$/, 'is no mode such as "0755"'))),
  }),
  v.check(
    ({ from, text, link }) => [from, text, link].filter((one) => one !== undefined).length === 1,
    'needs exactly one of "from", "text" and "link"',
  ),
);

export const RecipeSchema = v.strictObject({
  name: Name,
  title: Line,
  description: Line,
  /** Debian's packages; what they depend on comes by itself, what they recommend does not. */
  packages: v.pipe(v.array(PackageName), v.minLength(1), v.maxLength(1000)),
  /** Paths of packages that are left out, now and when a person installs more. */
  exclude: v.optional(v.array(Pattern), []),
  /** Exceptions from `exclude`. */
  include: v.optional(v.array(Pattern), []),
  kernel: v.strictObject({
    package: PackageName,
    /** Modules for the guest, with all that they depend on. */
    modules: v.array(Line),
  }),
  /** Added to the kernel's command line. */
  append: v.optional(
    v.pipe(v.string(), v.maxLength(1000), v.regex(/^[\x20-\x7e]*$/, 'has odd characters')),
    '',
  ),
  files: v.optional(v.array(FileSchema), []),
  /** Lines of shell that run in the guest as root, when all packages are configured. */
  commands: v.optional(v.array(Line), []),
  disk: v.strictObject({ size: Size }),
  memory: v.strictObject({ default: Size, minimum: Size }),
});

export type Recipe = v.InferOutput<typeof RecipeSchema>;
export type RecipeFile = Recipe['files'][number];

/** Reads a recipe from its text; `name` begins the sentence of an error. */
export function parseRecipe(text: string, name: string): Recipe {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Plain(`The recipe ${name} is not JSON: ${why.slice(0, 200)}.`);
  }
  const result = v.safeParse(RecipeSchema, json);
  if (!result.success) {
    const [issue] = result.issues;
    const where = v.getDotPath(issue) ?? 'the whole';
    throw new Plain(
      `The recipe ${name} does not fit: ${where}: ${issue.message.slice(0, 300)}. ` +
        'guests/README.md says what a recipe holds.',
    );
  }
  const recipe = result.output;
  if (recipe.memory.minimum > recipe.memory.default) {
    throw new Plain(`The recipe ${name} does not fit: memory.minimum is above memory.default.`);
  }
  return recipe;
}

/** A recipe with the folder that its files are relative to. */
export function readRecipe(file: string): { recipe: Recipe; folder: string } {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Plain(`The recipe ${file} cannot be read: ${why}.`);
  }
  const recipe = parseRecipe(text, file);
  const folder = dirname(resolve(file));
  for (const { from } of recipe.files) {
    if (from !== undefined && !existsSync(resolve(folder, from))) {
      throw new Plain(`The recipe ${file} names ${from}, which does not exist. Check the path.`);
    }
  }
  return { recipe, folder };
}
