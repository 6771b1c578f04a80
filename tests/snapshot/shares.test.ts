/** A snapshot of a guest at work in a shared folder: open files go on where it is restored. */
import { afterEach, expect, it } from 'vitest';
import { MemoryStore } from '../../src/machine/testing/memory-snapshots.ts';
import { MemoryFs } from '../../src/storage/ninep/memory-fs.ts';
import { FrozenMemory, thaw } from '../../src/storage/ninep/memory-image.ts';
import { NinePServer } from '../../src/storage/ninep/server.ts';
import { Guest, stopGuests } from '../linux/guest.ts';

afterEach((context) => stopGuests(context.task.result?.state === 'fail'));

/** A folder whose server freezes it when the machine is captured. */
function shared() {
  const fs = new MemoryFs();
  const frozen: Uint8Array<ArrayBuffer>[] = [];
  const server = new NinePServer(fs, {
    onFreeze: () => void frozen.push(new FrozenMemory(fs).bytes()),
  });
  const share = {
    tag: 'shared',
    request: (message: Uint8Array<ArrayBuffer>) => server.request(message),
    freeze: (token: string) => server.freeze(token),
  };
  return { fs, frozen, options: { megabytes: 128, columns: 100, shares: [share] } };
}

it('open files, a nameless one among them, and a copy under way', async () => {
  const first = shared();
  const guest = await Guest.boot(first.options);
  await guest.shell('dmesg -n 1; cd /mnt/shared; echo one >log; exec 5>>log; echo bye >gone');
  await guest.shell('exec 6<gone; rm gone; mkdir -p a/b; echo deep >a/b/c; exec 7<a/b/c; mv a z');
  await guest.shell('dd if=/dev/urandom of=large bs=64k count=128 2>/dev/null');
  // Requests are in flight at most moments of this.
  await guest.shell(
    '(while :; do cp large copy; cmp large copy || echo differs; done >bad 2>&1) &',
  );
  const store = new MemoryStore();
  const sink = store.sink();
  await guest.machine.capture(sink);
  expect(first.frozen).toHaveLength(1);

  const check = async (one: Guest) => {
    await one.shell('echo two >&5');
    expect(await one.shell('cat log; cat <&6; cat <&7; echo *')).toBe(
      'one\ntwo\nbye\ndeep\nbad copy large log z\n',
    );
    expect(await one.shell('kill %1; wait; cp large copy; cmp large copy && echo same')).toMatch(
      /^same$/m,
    );
    expect(await one.shell('grep -c . bad')).toMatch(/^0$/m);
  };
  await check(guest);

  const second = shared();
  thaw(second.fs, first.frozen[0]!);
  const clone = await Guest.create(second.options);
  await clone.machine.restore(sink.snapshot(), { generation: 'new' });
  clone.machine.resume();
  await check(clone);
  expect(clone.events).toEqual([]);
});
