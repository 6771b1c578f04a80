/**
 * What `npm run bench -- storage` lets a guest do to its disk, as rows of the bench. The disk is one
 * that lasts: what was flushed has reached the storage. Reads come from wherever the host has it.
 */
import type { Row } from '../rows.ts';

export interface CountedRow extends Row {
  /** What its size is counted in: so much of it is done in the time of a unit. */
  readonly counted: string;
}

const DISK_MIB = 64;
/** Nothing that a disk could take for zeroes; the whole disk has been written to when time is taken. */
const filled =
  'dd if=/dev/urandom of=/tmp/bench.data bs=1M count=$size; dd if=/tmp/bench.data of=/dev/vda bs=1M conv=fsync';
const blocks = (kind: number) => `/bench/bin/blocks $((size * 4 + ${kind}))`;
const whole = 'dd if=/dev/urandom of=/dev/vda bs=1M count=64 conv=fsync';

export const DISK_ROWS: readonly CountedRow[] = [
  {
    name: 'write',
    what: 'written one after the other in 1 MiB, then flushed',
    full: DISK_MIB,
    quick: 2,
    repetitions: 6,
    prepare: filled,
    run: 'dd if=/tmp/bench.data of=/dev/vda bs=1M oflag=direct conv=fsync 2>/dev/null',
    counted: 'MiB',
  },
  {
    name: 'read',
    what: 'read one after the other in 1 MiB',
    full: DISK_MIB,
    quick: 2,
    repetitions: 12,
    run: 'dd if=/dev/vda of=/dev/null bs=1M count=$size iflag=direct 2>/dev/null',
    counted: 'MiB',
  },
  {
    name: 'randread',
    what: 'blocks of 4 KiB read at random',
    full: 10_000,
    quick: 50,
    repetitions: 1,
    prepare: whole,
    run: blocks(0),
    counted: 'blocks',
  },
  {
    name: 'randwrite',
    what: 'blocks of 4 KiB written at random',
    full: 10_000,
    quick: 50,
    repetitions: 1,
    prepare: whole,
    run: blocks(1),
    counted: 'blocks',
  },
  {
    name: 'fsync',
    what: 'blocks of 4 KiB written at random, each flushed',
    full: 500,
    quick: 5,
    repetitions: 1,
    prepare: whole,
    run: blocks(2),
    counted: 'flushes',
  },
];

/** The guest has nothing in its caches: the disk is asked. */
const forget = 'sync; echo 3 >/proc/sys/vm/drop_caches';

/** Source files of a project, about: words that repeat, 1 to 20 KB each. */
const files = `
import os, random, sys
random.seed(1)
words = ["w%x" % random.getrandbits(random.randint(4, 40)) for _ in range(500)]
for i in range(int(sys.argv[1])):
    os.makedirs("d%d" % (i % 20), exist_ok=True)
    with open("d%d/f%d" % (i % 20, i), "w") as file:
        for _ in range(random.randint(20, 400)):
            file.write(" ".join(random.choices(words, k=8)) + "\\n")`;

export const WORK_ROWS: readonly Row[] = [
  {
    name: 'pythonstart',
    guest: 'debian',
    what: 'python3 started, with json and ssl, from the disk',
    full: 1,
    quick: 1,
    repetitions: 2,
    run: `${forget}; python3 -c 'import json, ssl; print(json.dumps([1]))'`,
  },
  {
    name: 'compile',
    guest: 'debian',
    what: 'a small C program compiled and linked, gcc from the disk',
    full: 1,
    quick: 1,
    repetitions: 1,
    prepare:
      'mkdir -p /var/tmp/b; cd /var/tmp/b; echo "#include <stdio.h>" >a.c; echo "int main(void) { puts(\\"compiled\\"); return 0; }" >>a.c',
    run: `cd /var/tmp/b; ${forget}; gcc -O2 -o a a.c && ./a; sync`,
  },
  {
    name: 'clone',
    guest: 'debian',
    what: 'git clone of a local repository of so many small files, from disk to disk',
    full: 400,
    quick: 10,
    repetitions: 1,
    prepare:
      'rm -rf /var/tmp/r /var/tmp/c; git init -q /var/tmp/r; cd /var/tmp/r; ' +
      `python3 -c '${files}' $size; git add .; ` +
      'git -c user.email=a@b -c user.name=a commit -qm first',
    run: `${forget}; git clone -q --no-hardlinks /var/tmp/r /var/tmp/c && sync; ls -R /var/tmp/c | wc -l`,
  },
];
