/**
 * Templates of guests: the list of what there is (`index.json`) and each one's manifest. Both are
 * files from outside and are taken in through these schemas; what a manifest names is verified by
 * size and SHA-256 where it is loaded. Paths cannot leave the folder of images.
 */
import * as v from 'valibot';
import { excerpt, messageOf, UserError } from './errors.ts';

const Name = v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'is no template name'));
/** Relative, without a scheme, an empty part or a part that starts with a dot. */
const RelativePath = v.pipe(
  v.string(),
  v.maxLength(200),
  v.regex(/^[A-Za-z0-9_][A-Za-z0-9._-]*(\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/, 'is no relative path'),
);
const Line = v.pipe(v.string(), v.maxLength(1000));
const Bytes = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(2 ** 31));

const FileSchema = v.object({
  file: RelativePath,
  size: Bytes,
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'is no SHA-256 in hexadecimal')),
});
/** A file of an image, and the same compressed for the way to a browser. */
const ImageFileSchema = v.object({ ...FileSchema.entries, gz: v.optional(FileSchema) });

export const CatalogueSchema = v.object({
  format: v.literal(1),
  templates: v.pipe(
    v.array(
      v.object({
        name: Name,
        title: Line,
        description: Line,
        manifest: RelativePath,
        /** Its root is a disk. */
        disk: v.optional(v.boolean()),
      }),
    ),
    v.maxLength(100),
  ),
});

export const ManifestSchema = v.pipe(
  v.object({
    format: v.literal(1),
    name: Name,
    title: Line,
    description: Line,
    kernel: ImageFileSchema,
    initrd: v.optional(ImageFileSchema),
    /** The root disk's own manifest; its chunks lie below the same folder. */
    disk: v.optional(ImageFileSchema),
    /** The guest at its prompt: where VMs start (snapshot/template-index.ts). */
    snapshot: v.optional(
      v.object({
        ...ImageFileSchema.entries,
        /** Of the machine's saved state; another version boots its kernel. */
        version: v.number(),
        /** Bytes of RAM, which a machine must have to start there. */
        memory: Bytes,
        /** The root disk as it was then; its chunks lie with those of `disk`. */
        disk: v.optional(ImageFileSchema),
      }),
    ),
    append: v.pipe(v.string(), v.maxLength(2048), v.regex(/^[\x20-\x7e]*$/, 'has odd characters')),
    memory: v.object({ default: Bytes, minimum: Bytes }),
    /** Debian packages that the image was made from, with their versions. */
    packages: v.optional(v.record(v.pipe(v.string(), v.maxLength(200)), Line), {}),
  }),
  v.check(({ memory }) => memory.minimum <= memory.default, 'memory.minimum is above the default'),
);

export type Catalogue = v.InferOutput<typeof CatalogueSchema>;
export type Template = Catalogue['templates'][number];
export type Manifest = v.InferOutput<typeof ManifestSchema>;
export type ImageFile = Manifest['kernel'];

/** More than this is no list of templates or files. */
const MAX_TEXT = 1 << 20;

/** Reads a manifest from its text. `name` is for the sentence of an error. */
export function parseManifest(text: string, name: string): Manifest {
  return parse(ManifestSchema, text, name);
}

/** Reads the list of templates from its text. */
export function parseCatalogue(text: string, name: string): Catalogue {
  return parse(CatalogueSchema, text, name);
}

function parse<S extends v.GenericSchema>(schema: S, text: string, name: string): v.InferOutput<S> {
  const advice = 'Make the images again with "npm run guests".';
  if (text.length > MAX_TEXT) {
    throw new UserError(`${name} is no manifest: it has ${text.length} characters. ${advice}`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new UserError(`${name} is not JSON (${excerpt(messageOf(error))}). ${advice}`);
  }
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const where = excerpt(v.getDotPath(issue) ?? 'the whole');
  const what = excerpt(issue.message);
  throw new UserError(`${name} does not fit its schema: ${where}: ${what}. ${advice}`);
}
