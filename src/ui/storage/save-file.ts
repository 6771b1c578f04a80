/**
 * Files to the person's disk and from it. Where the browser can write a file piece by piece (File
 * System Access) nothing of it is held in memory; elsewhere the browser gathers it and then offers it
 * as a download.
 */
import { download } from '../parts/download.ts';

/** Where a file goes; made while the click lasts, for only then may a page ask. */
export interface Destination {
  write(stream: ReadableStream<Uint8Array<ArrayBuffer>>, signal: AbortSignal): Promise<void>;
}

/** Asks where to save; undefined: the person has thought better of it. */
export async function chooseDestination(name: string): Promise<Destination | undefined> {
  const picker: unknown = Reflect.get(globalThis, 'showSaveFilePicker');
  if (typeof picker !== 'function') return { write: (stream) => gather(stream, name) };
  try {
    const handle: unknown = await picker.call(globalThis, { suggestedName: name });
    if (!(handle instanceof FileSystemFileHandle)) throw new Error('No file was chosen.');
    return {
      async write(stream, signal) {
        // What is not whole leaves the file as it was.
        await stream.pipeTo(await handle.createWritable(), { signal });
      },
    };
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') return undefined;
    throw error;
  }
}

async function gather(stream: ReadableStream<Uint8Array<ArrayBuffer>>, name: string) {
  download(name, await new Response(stream).blob());
}

/** Asks for files; empty: none was chosen. */
export function chooseFiles(accept: string, multiple: boolean): Promise<File[]> {
  return new Promise((resolve) => {
    const input = document.createElement('input');
    input.type = 'file';
    input.accept = accept;
    input.multiple = multiple;
    input.addEventListener('change', () => resolve([...(input.files ?? [])]));
    input.addEventListener('cancel', () => resolve([]));
    input.click();
  });
}

/** Asks for a folder of this computer; undefined: none was chosen. Rejects where browsers cannot. */
export async function chooseFolder(
  writable: boolean,
): Promise<FileSystemDirectoryHandle | undefined> {
  const picker: unknown = Reflect.get(globalThis, 'showDirectoryPicker');
  if (typeof picker !== 'function') {
    throw new Error('This browser gives pages no folder: Chrome and Edge do. Drop files instead.');
  }
  try {
    const handle: unknown = await picker.call(globalThis, {
      mode: writable ? 'readwrite' : 'read',
    });
    return handle instanceof FileSystemDirectoryHandle ? handle : undefined;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') return undefined;
    throw error;
  }
}
