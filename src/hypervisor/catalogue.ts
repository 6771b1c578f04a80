/**
 * The templates that the page offers and what each consists of. Both files come over the network:
 * they are read through schemas, and what they name is verified by size and SHA-256 elsewhere.
 */
import * as v from 'valibot';

const Name = v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9._-]{0,63}$/));
/** A path below the folder of images: no scheme, no parent folder. */
const RelativePath = v.pipe(
  v.string(),
  v.maxLength(200),
  v.regex(/^[A-Za-z0-9_][A-Za-z0-9._-]*(\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/),
);
const Text = v.pipe(v.string(), v.maxLength(1000));

export const CatalogueSchema = v.object({
  format: v.literal(1),
  templates: v.pipe(
    v.array(v.object({ name: Name, title: Text, description: Text, manifest: RelativePath })),
    v.maxLength(100),
  ),
});
export type Template = v.InferOutput<typeof CatalogueSchema>['templates'][number];

const FileSchema = v.object({
  file: RelativePath,
  size: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1 << 30)),
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
});
const ImageFileSchema = v.object({ ...FileSchema.entries, gz: v.optional(FileSchema) });
export type ImageFile = v.InferOutput<typeof ImageFileSchema>;

export const ManifestSchema = v.object({
  format: v.literal(1),
  name: Name,
  title: Text,
  description: Text,
  kernel: ImageFileSchema,
  initrd: v.optional(ImageFileSchema),
  append: v.pipe(v.string(), v.maxLength(2048)),
  memory: v.object({
    default: v.pipe(v.number(), v.integer(), v.minValue(1 << 20)),
    minimum: v.pipe(v.number(), v.integer(), v.minValue(1 << 20)),
  }),
  packages: v.optional(v.record(v.string(), v.string()), {}),
});
export type Manifest = v.InferOutput<typeof ManifestSchema>;
