/**
 * Files of a lab that come from this site: the lab's own and those that it names. Guarantees that a
 * redirection to another site fails, and that of a file which is larger than it may be no more is held
 * than that.
 */

/** `most`: bytes. Rejects with a sentence. */
export async function fetchLabFile(address: URL, most: number, signal: AbortSignal): Promise<Blob> {
  const response = await fetch(address, { mode: 'same-origin', signal }).catch(() => undefined);
  signal.throwIfAborted();
  if (!response?.ok) {
    const why = response
      ? `the server answered ${response.status}. Check its address`
      : 'the server is away, or sends to another site';
    throw new Error(`${address.pathname} could not be fetched: ${why}.`);
  }
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  const reader = response.body?.getReader();
  while (reader) {
    const { done, value } = await reader.read().catch(() => {
      signal.throwIfAborted();
      throw new Error(
        `${address.pathname} could not be fetched: it broke off after ${bytes} bytes.`,
      );
    });
    if (done) break;
    bytes += value.length;
    if (bytes > most) {
      await reader.cancel();
      throw new Error(
        `${address.pathname} is too large: a lab’s file has at most ${Math.floor(most / 1024)} KB here.`,
      );
    }
    parts.push(value);
  }
  return new Blob(parts, { type: response.headers.get('content-type') ?? '' });
}
