/** Snapshots of a Linux guest at work: what it was doing goes on where it is restored. */
import { afterEach, expect, it } from 'vitest';
import { MemoryBackend } from '../../src/machine/devices/virtio/memory-backend.ts';
import { MemoryStore } from '../../src/machine/testing/memory-snapshots.ts';
import { Guest, stopGuests } from '../linux/guest.ts';

afterEach((context) => stopGuests(context.task.result?.state === 'fail'));

const options = { megabytes: 128, columns: 100 };

it('processes, pipes, timers, typed input go on; a clone is told that it is one', async () => {
  const guest = await Guest.boot(options);
  // The kernel's complaints about a busy host would come between.
  await guest.shell('dmesg -n 1');
  await guest.shell('mkfifo /tmp/p; (while read -r l; do echo "got $l"; done) </tmp/p >/tmp/out &');
  await guest.shell('exec 5>/tmp/p; echo one >&5');
  await guest.shell('(sleep 1; echo slept >/tmp/slept) &');
  await guest.shell('dd if=/dev/zero bs=1M count=16 2>/dev/null | sha256sum >/tmp/sum &');
  // A line that has been begun and not ended.
  await guest.expect(/echo ha\$/, 'echo ha$');
  const store = new MemoryStore();
  const sink = store.sink();
  const report = await guest.machine.capture(sink);
  const snapshot = sink.snapshot();
  console.log(
    `pause ${report.pause_ms.toFixed(2)} ms, ${report.pages} pages, ${report.total_ms.toFixed(0)} ms`,
  );
  const before = guest.machine.stats().ram_bytes;
  expect(report.pages * 4096).toBeLessThan(before * 1.1);

  const check = async (one: Guest) => {
    expect(await one.expect(/half\n[\s\S]*# $/, "{x}'lf\"' | sed 's/.*/half/'\n")).toContain(
      'half',
    );
    await one.shell('until [ -s /tmp/sum ] && [ -s /tmp/slept ]; do usleep 50000; done');
    await one.shell('echo two >&5; usleep 100000');
    expect(await one.shell('cat /tmp/out')).toMatch(/got one\n(.*\n)*got two/);
    expect(await one.shell('cat /tmp/slept')).toContain('slept');
    return one.shell('cat /tmp/sum');
  };

  const clone = await Guest.create(options);
  const from = performance.now();
  await clone.machine.restore(snapshot, { generation: 'new', name: 'other' });
  console.log(`restored in ${(performance.now() - from).toFixed(0)} ms`);
  clone.machine.resume();
  const sums = [await check(guest), await check(clone)];
  const own = await guest.shell('head -c 16777216 /dev/zero | sha256sum');
  expect(sums).toEqual([own, own]);
  expect(await clone.shell('dmesg | grep crng')).toMatch(
    /crng reseeded due to virtual machine fork/,
  );
  expect(await guest.shell('dmesg | grep -c "virtual machine fork"')).toContain('0');
  // Random numbers differ in what went on from one instant.
  const again = await Guest.create(options);
  await again.machine.restore(snapshot, { generation: 'new' });
  again.machine.resume();
  await again.expect(/# $/, '\x15\n');
  const random = 'head -c 16 /dev/urandom | md5sum';
  expect(await again.shell(random)).not.toBe(await clone.shell(random));
});

it('two clones of one snapshot have names, machine ids and random numbers of their own', async () => {
  const guest = await Guest.boot(options);
  await guest.shell('dmesg -n 1');
  // The template has no such file; a guest that has one must not share it.
  await guest.shell('tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id');
  await guest.shell('echo "127.0.1.1 $(hostname)" >>/etc/hosts');
  // A generator that is open and seeded already, and a shell that is about to read from it.
  await guest.shell('exec 5</dev/urandom; head -c 16 <&5 >/dev/null');
  const sink = new MemoryStore().sink();
  await guest.machine.capture(sink);
  const snapshot = sink.snapshot();

  const random = 'head -c 32 <&5 | md5sum; cat /proc/sys/kernel/random/uuid /etc/machine-id';
  const identity = async (name: string) => {
    const clone = await Guest.create(options);
    // Its terminal has a size of its own, given before what it goes on from is there.
    clone.machine.resize(97, 31);
    await clone.machine.restore(snapshot, { generation: 'new', name });
    clone.machine.resume();
    // Before the agent has done anything: this is the kernel's own doing.
    const [bytes, uuid] = (await clone.shell(random)).split('\n');
    await clone.shell(`until grep -qx ${name} /etc/hostname; do usleep 20000; done`);
    const id = (await clone.shell('cat /etc/machine-id')).trim();
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect((await clone.shell('hostname; tail -n 1 /etc/hosts')).trim().split('\n')).toEqual([
      name,
      `127.0.1.1 ${name}`,
    ]);
    expect(await clone.shell('stty size')).toContain('31 97');
    clone.stop();
    return [bytes, uuid, id];
  };
  const one = await identity('clone-1');
  const two = await identity('clone-2');
  const [bytes, uuid, id] = (await guest.shell(random)).split('\n');
  for (const [i, mine] of [bytes, uuid, id].entries()) {
    expect(new Set([mine, one[i], two[i]]).size, String([mine, one[i], two[i]])).toBe(3);
  }
  // The guest that they were copied from is still the one that it was.
  expect(await guest.shell('hostname')).toContain('micro');
});

it('a guest that writes to a disk is captured with its requests in flight', async () => {
  // A disk that takes its time: requests are in flight at most moments.
  const slow = (memory: MemoryBackend) => ({
    size: memory.size,
    id: memory.id,
    readOnly: false,
    read: async (offset: number, into: Uint8Array) => {
      await new Promise((resolve) => setTimeout(resolve, 3));
      memory.read(offset, into);
    },
    write: async (offset: number, from: Uint8Array) => {
      await new Promise((resolve) => setTimeout(resolve, 3));
      memory.write(offset, from);
    },
    flush: () => {},
    discard: (offset: number, length: number) => memory.discard(offset, length),
    writeZeroes: (offset: number, length: number) => memory.writeZeroes(offset, length),
  });
  const copyOf = (memory: MemoryBackend) => {
    const contents = new Uint8Array(memory.size);
    memory.read(0, contents);
    return new MemoryBackend(memory.size, { contents });
  };
  const memory = new MemoryBackend(16 << 20);
  let frozen: MemoryBackend | undefined;
  const freeze = () => {
    frozen = copyOf(memory);
  };
  const disk = { ...slow(memory), freeze };
  const guest = await Guest.boot({ ...options, disks: [disk] });
  await guest.shell('dmesg -n 1');
  const fill = 'for i in 1 2 3 4; do dd if=/dev/urandom of=/tmp/f bs=64k count=16 2>/dev/null; ';
  guest.type(
    `${fill} dd if=/tmp/f of=/dev/vda bs=64k seek=$((i*16)) 2>/dev/null; md5sum </tmp/f >>/tmp/sums; done; sync; echo all-done\n`,
  );
  await new Promise((resolve) => setTimeout(resolve, 250));
  const sink = new MemoryStore().sink();
  await guest.machine.capture(sink);
  guest.stop();
  const clone = await Guest.create({ ...options, disks: [slow(frozen!)] });
  await clone.machine.restore(sink.snapshot());
  clone.machine.resume();
  await clone.shows(/all-done\n/);
  await clone.shell('echo 3 >/proc/sys/vm/drop_caches');
  const sums = await clone.shell('cat /tmp/sums');
  expect(sums.trim().split('\n')).toHaveLength(4);
  const read = 'dd if=/dev/vda bs=64k skip=$((i*16)) count=16 2>/dev/null';
  await clone.shell(`for i in 1 2 3 4; do ${read} | md5sum; done >/tmp/read`);
  expect(await clone.shell('cat /tmp/read')).toBe(sums);
});
