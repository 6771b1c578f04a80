/** The two ends of a template's port: TemplatePort in the VM's worker, serveTemplate in the page. */
import { afterEach, describe, expect, test } from 'vitest';
import type { PackedImage } from '../worker/protocol.ts';
import { TemplatePort } from '../worker/template-port.ts';
import { eventually } from '../worker/testing/eventually.ts';
import { serveTemplate } from './template-service.ts';

const ports: MessagePort[] = [];
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

const image = (name: string, ...bytes: number[]): PackedImage => {
  const data = Uint8Array.from(bytes);
  return { name, bytes: data.buffer, packed: false, size: data.length };
};

function pair() {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  const violations: string[] = [];
  const piece = image('piece', 1, 2, 3);
  serveTemplate(
    port1,
    {
      piece: async (number) => {
        if (number !== 7) throw new Error('The snapshot has no such piece.');
        return piece;
      },
      images: async () => ({ kernel: image('kernel', 4), initrd: image('initrd', 5) }),
    },
    (what) => violations.push(what),
  );
  return { port: port2, violations, piece };
}

describe('a template over a port', () => {
  test('gives pieces, again and again, and the images of a boot', async () => {
    const { port, violations, piece } = pair();
    const template = new TemplatePort(port);
    expect([...(await template.piece(7))]).toEqual([1, 2, 3]);
    expect([...(await template.piece(7))]).toEqual([1, 2, 3]);
    // What went was a copy.
    expect(piece.bytes.byteLength).toBe(3);
    await expect(template.piece(8)).rejects.toThrow('no such piece');
    expect(await template.images('quiet')).toMatchObject({
      kind: 'linux',
      append: 'quiet',
      kernel: Uint8Array.of(4),
      initrd: Uint8Array.of(5),
    });
    expect(violations).toEqual([]);
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['another kind', { kind: 'file', name: '/etc/passwd' }],
    ['a negative piece', { kind: 'piece', piece: -1 }],
    ['half a piece', { kind: 'piece', piece: 0.5 }],
    ['more than is asked', { kind: 'images', and: 1 }],
  ])('ends at %s', async (_, message) => {
    const { port, violations } = pair();
    port.postMessage(message);
    await eventually(() => expect(violations).toHaveLength(1));
    port.postMessage({ kind: 'piece', piece: 7 });
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(violations).toHaveLength(1);
  });

  test('ends at a port that nobody asked for', async () => {
    const { port, violations } = pair();
    const { port1, port2 } = new MessageChannel();
    ports.push(port1);
    port.postMessage({ kind: 'piece', piece: 7 }, [port2]);
    await eventually(() => expect(violations).toHaveLength(1));
  });
});
