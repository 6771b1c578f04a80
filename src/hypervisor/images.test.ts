import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { unpack } from '../worker/unpack.ts';
import { ImageStore } from './images.ts';

const FOLDER = new URL('http://host/images/');
const kernel = new Uint8Array(100_000).map((_, i) => (i * 7) % 253);
const initrd = new Uint8Array(5000).fill(3);

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
function imageFile(file: string, bytes: Uint8Array) {
  const gz = gzipSync(bytes);
  return {
    file,
    size: bytes.length,
    sha256: sha256(bytes),
    gz: { file: `${file}.gz`, size: gz.length, sha256: sha256(gz) },
  };
}

let files: Map<string, Uint8Array<ArrayBuffer> | string>;
let fetched: string[];

beforeEach(() => {
  fetched = [];
  files = new Map<string, Uint8Array<ArrayBuffer> | string>([
    [
      'index.json',
      JSON.stringify({
        format: 1,
        templates: [
          { name: 'micro', title: 'Micro', description: 'small', manifest: 'micro/manifest.json' },
        ],
      }),
    ],
    [
      'micro/manifest.json',
      JSON.stringify({
        format: 1,
        name: 'micro',
        title: 'Micro',
        description: 'small',
        kernel: imageFile('kernel', kernel),
        initrd: imageFile('initrd', initrd),
        append: 'console=ttyS0',
        memory: { default: 128 << 20, minimum: 96 << 20 },
      }),
    ],
    ['micro/kernel.gz', new Uint8Array(gzipSync(kernel))],
    ['micro/initrd.gz', new Uint8Array(gzipSync(initrd))],
  ]);
  vi.stubGlobal('fetch', async (url: URL) => {
    const path = url.href.slice(FOLDER.href.length);
    fetched.push(path);
    const body = files.get(path);
    return body === undefined
      ? new Response('', { status: 404, statusText: 'Not Found' })
      : new Response(body);
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
});

async function load(progress: (loaded: number, total: number) => void = () => {}) {
  const store = new ImageStore(FOLDER);
  const [template] = await store.templates();
  if (template === undefined) throw new Error('There is no template.');
  return store.load(template, progress);
}

describe('guest images', () => {
  test('are verified and handed out, with progress up to the whole', async () => {
    const seen: [number, number][] = [];
    const images = await load((loaded, total) => seen.push([loaded, total]));
    expect(await unpack(images.kernel)).toEqual(kernel);
    expect(images.initrd && (await unpack(images.initrd))).toEqual(initrd);
    const [loaded, total] = seen.at(-1) ?? [];
    expect(loaded).toBe(total);
    expect(seen.every(([part], i) => i === 0 || part >= (seen[i - 1]?.[0] ?? 0))).toBe(true);
  });

  test('several VMs share one download', async () => {
    const store = new ImageStore(FOLDER);
    const [template] = await store.templates();
    if (template === undefined) throw new Error('There is no template.');
    const [first, second] = await Promise.all([
      store.load(template, () => {}),
      store.load(template, () => {}),
    ]);
    expect(first).toBe(second);
    expect(fetched.filter((path) => path.endsWith('kernel.gz'))).toHaveLength(1);
  });

  test('that a server has unpacked by itself are taken as well', async () => {
    files.set('micro/kernel.gz', kernel);
    expect(await unpack((await load()).kernel)).toEqual(kernel);
  });

  test('that do not match their manifest are refused', async () => {
    files.set('micro/kernel.gz', new Uint8Array(gzipSync(kernel.map((byte) => byte ^ 1))));
    await expect(load()).rejects.toThrow(/kernel.gz does not match its manifest/);
  });

  test('that are damaged are refused by name', async () => {
    const damaged = new Uint8Array(gzipSync(initrd));
    damaged[damaged.length - 6] = (damaged[damaged.length - 6] ?? 0) ^ 255;
    files.set('micro/initrd.gz', damaged);
    await expect(load()).rejects.toThrow(/initrd.gz does not match its manifest/);
  });

  test('that are longer on the wire than was promised are refused', async () => {
    files.set('micro/initrd.gz', new Uint8Array(200_000).fill(9));
    await expect(load()).rejects.toThrow(/larger than its manifest says/);
  });

  test('that are not there are named, and can be asked for again', async () => {
    const store = new ImageStore(FOLDER);
    const [template] = await store.templates();
    if (template === undefined) throw new Error('There is no template.');
    const file = files.get('micro/kernel.gz') ?? '';
    files.delete('micro/kernel.gz');
    await expect(store.load(template, () => {})).rejects.toThrow(
      /kernel.gz .* answered 404 Not Found/,
    );
    files.set('micro/kernel.gz', file);
    await expect(store.load(template, () => {})).resolves.toBeDefined();
  });

  test('cannot be described from outside their folder', async () => {
    files.set(
      'index.json',
      JSON.stringify({
        format: 1,
        templates: [{ name: 'micro', title: '', description: '', manifest: '../secret.json' }],
      }),
    );
    await expect(load()).rejects.toThrow(/does not fit its schema/);
  });
});
