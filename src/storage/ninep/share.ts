/**
 * A shared folder for a machine in the same thread: the server of 9P behind a ShareBackend.
 */
import type { ShareBackend } from '../../machine/devices/virtio/share-backend.ts';
import type { ShareFileSystem } from './file-system.ts';
import { NinePServer } from './server.ts';

/** `onError` hears of failures that no error number describes. */
export function localShare<N>(
  tag: string,
  fs: ShareFileSystem<N>,
  onError?: (reason: string) => void,
): ShareBackend {
  const server = new NinePServer(fs, onError && { onError });
  return {
    tag,
    request: (message) => server.request(message),
    freeze: (token) => server.freeze(token),
  };
}
