/** Cuts a raw disk into the chunks of an image (src/storage/image), each a frame of zstd. */
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { BlockBackend } from '../../src/machine/devices/virtio/block-backend.ts';
import { chunkPath, type DiskImage } from '../../src/storage/image/manifest.ts';
import { type ChunkTarget, writeImage } from '../../src/storage/image/write.ts';
import { Plain } from '../../tools/lib/shell.mjs';
import { imageTools } from './ext4.ts';

/** zstd's level: 19 makes the image a tenth smaller and takes ten times as long. */
const LEVEL = 9;
/** Chunks that one start of zstd compresses. */
const BATCH = 32;
/** How long a batch that is not full waits for more, in milliseconds. */
const PAUSE_MS = 100;

/** Stores the chunks of `file` below `folder`; those that are there stay, others are removed. */
export async function storeDisk(
  file: string,
  folder: string,
  progress: (done: number, size: number) => void,
): Promise<DiskImage> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const read = async (offset: number, into: Uint8Array) => {
      for (let done = 0; done < into.length; ) {
        const { bytesRead } = await handle.read(into, done, into.length - done, offset + done);
        if (bytesRead === 0) throw new Plain(`The disk ${file} ended at byte ${offset + done}.`);
        done += bytesRead;
      }
    };
    const image = await storeChunks(read, size, folder, progress);
    removeOthers(folder, image);
    return image;
  } finally {
    await handle.close();
  }
}

/** Stores what a disk that was booted has other than its image, below the same `folder`. */
export async function storeBooted(disk: BlockBackend, folder: string): Promise<DiskImage> {
  return storeChunks(
    async (offset, into) => disk.read(offset, into),
    disk.size,
    folder,
    () => {},
  );
}

async function storeChunks(
  read: (offset: number, into: Uint8Array<ArrayBuffer>) => Promise<void>,
  size: number,
  folder: string,
  progress: (done: number, size: number) => void,
): Promise<DiskImage> {
  const tools = await imageTools();
  const { command, args } = tools('usr/bin/zstd');
  const compressor = new Compressor(command, args);
  const target: ChunkTarget = {
    async has(sha256) {
      const place = join(folder, chunkPath(sha256));
      return existsSync(place) ? statSync(place).size : undefined;
    },
    compress: (contents) => compressor.compress(contents),
    async put(sha256, frame) {
      const place = join(folder, chunkPath(sha256));
      mkdirSync(dirname(place), { recursive: true });
      writeFileSync(`${place}.draft`, frame);
      renameSync(`${place}.draft`, place);
    },
  };
  try {
    return await writeImage(read, size, target, { parallel: 2 * BATCH, progress });
  } finally {
    compressor.close();
  }
}

/**
 * Compresses many chunks with one start of zstd: starting a program takes longer than a chunk does.
 * Files in between, for zstd makes one frame of each.
 */
class Compressor {
  readonly #folder = mkdtempSync(join(tmpdir(), 'chunks-'));
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #count = 0;

  constructor(
    private readonly command: string,
    private readonly args: readonly string[],
  ) {}

  compress(contents: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    return new Promise((done, fail) => {
      const file = join(this.#folder, String(this.#count++));
      writeFileSync(file, contents);
      this.#waiting.push({ file, done, fail });
      clearTimeout(this.#timer);
      if (this.#waiting.length >= BATCH) this.#run();
      else this.#timer = setTimeout(() => this.#run(), PAUSE_MS);
    });
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #run(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    const options = ['-q', `-${LEVEL}`, '--no-check', '--rm', ...batch.map(({ file }) => file)];
    const child = spawn(this.command, [...this.args, ...options], { stdio: 'inherit' });
    const failed = (why: unknown) => {
      const error = new Plain(`zstd failed (${why}). Is the disk full?`);
      for (const { fail } of batch) fail(error);
    };
    child.on('error', failed);
    child.on('close', (code) => {
      if (code !== 0) {
        failed(code);
        return;
      }
      for (const { file, done } of batch) {
        const frame = new Uint8Array(readFileSync(`${file}.zst`));
        rmSync(`${file}.zst`);
        done(frame);
      }
    });
  }
}

interface Waiting {
  readonly file: string;
  readonly done: (frame: Uint8Array<ArrayBuffer>) => void;
  readonly fail: (error: unknown) => void;
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
