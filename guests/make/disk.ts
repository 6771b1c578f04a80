/** Cuts a raw disk into the chunks of an image (src/storage/image), each a frame of zstd. */
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { chunkPath, type DiskImage } from '../../src/storage/image/manifest.ts';
import { writeImage } from '../../src/storage/image/write.ts';
import { Plain } from '../../tools/lib/shell.mjs';
import { imageTools } from './ext4.ts';

/** zstd's level: 19 makes the image a tenth smaller and takes ten times as long. */
const LEVEL = 9;

/** Stores the chunks of `file` below `folder`; those that are there stay, others are removed. */
export async function storeDisk(
  file: string,
  folder: string,
  progress: (done: number, size: number) => void,
): Promise<DiskImage> {
  const tools = await imageTools();
  const { command, args } = tools('usr/bin/zstd');
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const image = await writeImage(
      async (offset, into) => {
        for (let done = 0; done < into.length; ) {
          const { bytesRead } = await handle.read(into, done, into.length - done, offset + done);
          if (bytesRead === 0) throw new Plain(`The disk ${file} ended at byte ${offset + done}.`);
          done += bytesRead;
        }
      },
      size,
      {
        async has(sha256) {
          const place = join(folder, chunkPath(sha256));
          return existsSync(place) ? statSync(place).size : undefined;
        },
        compress: (contents) => compress(command, args, contents),
        async put(sha256, frame) {
          const place = join(folder, chunkPath(sha256));
          mkdirSync(dirname(place), { recursive: true });
          writeFileSync(`${place}.draft`, frame);
          renameSync(`${place}.draft`, place);
        },
      },
      { parallel: availableParallelism() + 1, progress },
    );
    removeOthers(folder, image);
    return image;
  } finally {
    await handle.close();
  }
}

function compress(
  command: string,
  args: readonly string[],
  contents: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  return new Promise((done, fail) => {
    const options = ['-q', '-c', `-${LEVEL}`, '--no-check', `--stream-size=${contents.length}`];
    const child = spawn(command, [...args, ...options], { stdio: ['pipe', 'pipe', 'inherit'] });
    const parts: Buffer[] = [];
    child.stdout.on('data', (data: Buffer) => parts.push(data));
    child.on('error', fail);
    child.on('close', (code) => {
      if (code === 0) done(new Uint8Array(Buffer.concat(parts)));
      else fail(new Plain(`zstd failed (${code}). Is the disk full?`));
    });
    child.stdin.on('error', fail);
    child.stdin.end(contents);
  });
}

function removeOthers(folder: string, image: DiskImage): void {
  const named = new Set(image.chunks.flatMap((chunk) => (chunk ? [chunkPath(chunk.sha256)] : [])));
  const chunks = join(folder, 'chunks');
  if (!existsSync(chunks)) return;
  for (const part of readdirSync(chunks)) {
    for (const name of readdirSync(join(chunks, part))) {
      if (!named.has(`chunks/${part}/${name}`)) rmSync(join(chunks, part, name));
    }
  }
}
