/**
 * One power-on of a VM that uses a shared folder: its worker's requests, by a port, to a server of 9P.
 * Nothing that comes over the port is relied on: each message is checked, requests under way are
 * bounded. A script of its own, for the page is shown without it.
 */
import type { MaybePromise, ShareFileSystem } from '../storage/ninep/file-system.ts';
import { NinePServer } from '../storage/ninep/server.ts';
import { SHARE_IN_FLIGHT, type ShareAnswer, ShareMessageSchema } from '../worker/share-protocol.ts';
import { listenChecked, type Violation } from './guard.ts';

/** A guest that lists thousands of files sends a few thousand. */
const MESSAGES_PER_SECOND = 20_000;

export interface Session {
  dispose(): void;
}

/** Who is told of what a session does. */
export interface ShareEvents {
  changed(): void;
  freeze(token: string): MaybePromise<void>;
}

/** Serves the files on a port until disposed, or until the worker breaks the rules. */
export function serveShare<N>(
  fs: ShareFileSystem<N>,
  port: MessagePort,
  violation: Violation,
  events: ShareEvents,
): Session {
  const server = new NinePServer(fs, { onChange: events.changed, onFreeze: events.freeze });
  let inFlight = 0;
  let open = true;
  const end = () => {
    open = false;
    port.onmessage = null;
    port.close();
    void server.dispose();
  };
  const refuse: Violation = (what) => {
    end();
    violation(what);
  };
  listenChecked(
    port,
    ShareMessageSchema,
    (message) => {
      if (!open) return;
      if (message.type === 'freeze') {
        server.freeze(message.token);
        return;
      }
      if (++inFlight > SHARE_IN_FLIGHT) return refuse('it asked too much of its shared folder');
      void server.request(message.message).then((answer) => {
        inFlight--;
        const reply: ShareAnswer = { id: message.id, answer };
        if (open) port.postMessage(reply, [answer.buffer]);
      });
    },
    refuse,
    { perSecond: MESSAGES_PER_SECOND },
  );
  return { dispose: end };
}
