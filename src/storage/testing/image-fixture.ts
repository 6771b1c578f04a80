/** Disk images in memory, for tests. */
import { StorageError } from '../files.ts';
import { ChunkLibrary, ImageReader } from '../image/chunks.ts';
import { writeImage } from '../image/write.ts';
import { zstdFrame } from './zstd-frame.ts';

/** An image of `disk` in chunks of 64 KiB, whose chunks are given by `get`, counted. */
export async function imageOf(disk: Uint8Array) {
  const frames = new Map<string, Uint8Array<ArrayBuffer>>();
  const image = await writeImage(
    (offset, into) => into.set(disk.subarray(offset, offset + into.length)),
    disk.length,
    {
      compress: async (contents) => zstdFrame(contents),
      put: async (sha256, frame) => void frames.set(sha256, frame),
    },
    { chunkSize: 65_536 },
  );
  const asked: string[] = [];
  const source = {
    async get(sha256: string) {
      asked.push(sha256);
      const frame = frames.get(sha256);
      if (!frame) throw new StorageError('missing', 'The server has no such chunk.');
      return frame;
    },
  };
  return {
    image,
    frames,
    source,
    asked,
    reader: new ImageReader(image, source, new ChunkLibrary()),
  };
}
