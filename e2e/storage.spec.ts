/**
 * Disks in the browser's own storage: the storage worker of the built page over the real OPFS. The
 * worker is spoken to as the page does, by comlink, and as a VM's worker does, over a disk's port.
 */
import { expect, type Page, test } from '@playwright/test';

const ID = 'ab'.repeat(16);
const FILE = './precache.json';

/** What runs in the page: one visit of the storage. */
async function visit(
  page: Page,
  steps: ('write' | 'read' | 'flush' | 'usage')[],
): Promise<unknown[]> {
  const precache: string[] = await (await page.request.get(FILE)).json();
  const worker = precache.find(
    (name) => /^assets\/worker-[^/]*\.js$/.test(name) && !name.includes('.css'),
  );
  const workers = precache.filter((name) => /^assets\/worker-[^/]*\.js$/.test(name));
  expect(worker, `the storage worker in ${workers.join(', ')}`).toBeDefined();
  return page.evaluate(
    async ({ names, id, steps }) => {
      type Reply = { id?: string; type?: string; value?: unknown };
      let count = 0;
      const ask = (
        to: Worker | MessagePort,
        path: string[],
        values: Reply[],
        ports: Transferable[],
      ) =>
        new Promise<Reply>((resolve) => {
          const call = String(++count);
          const listen = (event: MessageEvent<Reply>) => {
            if (event.data?.id === call) resolve(event.data);
          };
          if (to instanceof Worker) to.addEventListener('message', listen);
          else {
            to.addEventListener('message', listen);
            to.start();
          }
          to.postMessage({ id: call, type: 'APPLY', path, argumentList: values }, ports);
        });
      const raw = (value: unknown): Reply => ({ type: 'RAW', value });
      // Of the two worker scripts the storage's is the one that answers to `ready`.
      let api: MessagePort | undefined;
      let failure: unknown;
      for (const name of names) {
        const worker = new Worker(new URL(name, document.baseURI), { type: 'module' });
        const answer = await Promise.race([
          ask(worker, ['ready'], [], []),
          new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 10_000)),
        ]);
        if (answer?.value instanceof MessagePort) {
          api = answer.value;
          break;
        }
        failure = answer?.value ?? failure;
      }
      if (api === undefined) return [JSON.stringify(failure)];
      const callback = () => {
        const { port1, port2 } = new MessageChannel();
        port1.start();
        return { value: { type: 'HANDLER', name: 'proxy', value: port2 } as Reply, port: port2 };
      };
      const { port1, port2 } = new MessageChannel();
      const [trouble, violation] = [callback(), callback()];
      const opened = await ask(
        api,
        ['openDisk'],
        [
          raw({ id, kind: 'persistent', size: 8 << 20 }),
          raw(port1),
          trouble.value,
          violation.value,
        ],
        [port1, trouble.port, violation.port],
      );
      const results: unknown[] = [opened.value];
      const answers = new Map<number, (answer: { data?: ArrayBuffer }) => void>();
      port2.onmessage = (event: MessageEvent<{ id: number; data?: ArrayBuffer }[]>) => {
        for (const answer of event.data) answers.get(answer.id)?.(answer);
      };
      const request = (message: Record<string, unknown>) =>
        new Promise<{ data?: ArrayBuffer }>((resolve) => {
          const call = ++count;
          answers.set(call, resolve);
          port2.postMessage([{ ...message, id: call }]);
        });
      for (const step of steps) {
        if (step === 'write') {
          const data = new Uint8Array(1 << 20).map((_, i) => i * 7).buffer;
          await request({ kind: 'write', offset: 1 << 20, data });
        } else if (step === 'flush') {
          await request({ kind: 'flush' });
        } else if (step === 'read') {
          const { data } = await request({ kind: 'read', offset: 1 << 20, length: 1 << 20 });
          results.push([...new Uint8Array(data ?? new ArrayBuffer(0)).subarray(0, 4)]);
        } else {
          results.push((await ask(api, ['disks'], [], [])).value);
        }
      }
      return results;
    },
    { names: workers, id: ID, steps },
  );
}

test('a persistent disk survives a reload, and what was flushed a page that just went away', async ({
  page,
  context,
}) => {
  // A file of the site: the page itself would open its storage, and only one may.
  await page.goto(FILE);
  expect(await visit(page, ['read', 'write', 'read', 'flush'])).toEqual([
    { size: 8 << 20 },
    [0, 0, 0, 0],
    [0, 7, 14, 21],
  ]);
  // Nothing was closed: the page goes away in the middle.
  await page.reload();
  const [opened, read, disks] = await visit(page, ['read', 'usage']);
  expect(opened).toEqual({ size: 8 << 20 });
  expect(read).toEqual([0, 7, 14, 21]);
  expect(disks).toMatchObject([{ id: ID, kind: 'persistent', stored: 1 << 20, inUse: true }]);

  const second = await context.newPage();
  await second.goto(FILE);
  const [refused] = await visit(second, []);
  expect(refused).toMatch(/Tabvisor is open in another tab/);
});
