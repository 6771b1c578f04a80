/**
 * Ports to a worker that may have been taken over. Every message is checked against a schema
 * before anything else sees it; the first one that does not fit, or too many in a short time, is a
 * violation: the port is closed and the owner told, who ends the VM.
 */
import type { Endpoint } from 'comlink';
import * as v from 'valibot';

/** Messages that a worker may send in one second. A flooded console needs a few hundred. */
const MESSAGES_PER_SECOND = 2000;

export type Violation = (what: string) => void;

/**
 * Calls `receive` with each message that fits `schema`. Where each message waits for an answer, the
 * number of those under way may be the limit instead of `perSecond`.
 */
export function listenChecked<Schema extends v.BaseSchema<unknown, unknown, v.BaseIssue<unknown>>>(
  port: MessagePort,
  schema: Schema,
  receive: (message: v.InferOutput<Schema>) => void,
  violation: Violation,
  { perSecond = MESSAGES_PER_SECOND }: { perSecond?: number } = {},
): void {
  let windowBegin = performance.now();
  let count = 0;
  let closed = false;
  const refuse = (what: string) => {
    if (closed) return;
    closed = true;
    port.onmessage = null;
    port.close();
    violation(what);
  };
  port.onmessage = (event: MessageEvent<unknown>) => {
    if (closed) return;
    const now = performance.now();
    if (now - windowBegin > 1000) {
      windowBegin = now;
      count = 0;
    }
    if (++count > perSecond) return refuse('it sent too many messages');
    if (event.ports.length > 0) return refuse('it sent a port that nobody asked for');
    const message = v.safeParse(schema, event.data);
    if (!message.success) return refuse(message.issues[0].message);
    receive(message.output);
  };
  port.onmessageerror = () => refuse('it sent an unreadable message');
}

/** A port as comlink wants it, with what arrives checked first. */
export function checkedEndpoint<
  Schema extends v.BaseSchema<unknown, unknown, v.BaseIssue<unknown>>,
>(port: MessagePort, schema: Schema, violation: Violation): Endpoint {
  const target = new EventTarget();
  listenChecked(
    port,
    schema,
    (data) => target.dispatchEvent(new MessageEvent('message', { data })),
    violation,
  );
  return {
    addEventListener: target.addEventListener.bind(target),
    removeEventListener: target.removeEventListener.bind(target),
    postMessage: (message: unknown, transfer: Transferable[] = []) =>
      port.postMessage(message, transfer),
  };
}
