/**
 * The rows: what is measured, as commands of the guest's shell. A row's time is that of one unit;
 * repetitions make a measurement last a second or more on QEMU. `$size` is `full`, or `quick` where
 * only the benchmark itself is tried out. What a row prints is compared between all sides, so it
 * must not depend on speed.
 */

import { DEBIAN_ROWS } from './debian-rows.ts';

export type GuestName = 'micro' | 'debian';

export interface Row {
  readonly name: string;
  /** The template that it runs in, `micro` when left out. */
  readonly guest?: GuestName;
  /** What one unit is. */
  readonly what: string;
  readonly full: number;
  readonly quick: number;
  readonly repetitions: number;
  /** Runs before the time is taken. */
  readonly prepare?: string;
  readonly run: string;
  /** Seconds that v86 took for the like in Chromium, where that is known. */
  readonly v86Seconds?: number;
}

/** Cold start to the first prompt: measured by the host, before the other rows. */
export const BOOT = 'boot';
export const BOOT_WHAT = 'cold start to the first shell prompt';
export const BOOT_V86_SECONDS = 20;

const zeros = 'dd if=/dev/zero bs=64k count=$size 2>/dev/null';
const text = '/bench/bin/text $size >/tmp/bench.text';

export const ROWS: readonly Row[] = [
  {
    name: 'sha256',
    what: 'SHA-256 of 16 MiB of zeros',
    full: 256,
    quick: 8,
    repetitions: 3,
    run: `${zeros} | sha256sum`,
    v86Seconds: 4.0,
  },
  {
    name: 'md5',
    what: 'MD5 of 16 MiB of zeros',
    full: 256,
    quick: 8,
    repetitions: 8,
    run: `${zeros} | md5sum`,
    v86Seconds: 1.4,
  },
  {
    name: 'gzip',
    what: '16 MiB of zeros through gzip',
    full: 256,
    quick: 8,
    repetitions: 3,
    run: `${zeros} | gzip -c | wc -c`,
    v86Seconds: 1.6,
  },
  {
    name: 'gziptext',
    what: '8 MiB of program code through gzip',
    full: 128,
    quick: 2,
    repetitions: 1,
    prepare:
      'while cat /bin/busybox; do :; done 2>/dev/null | dd of=/tmp/bench.code bs=64k count=$size iflag=fullblock',
    run: 'gzip -c </tmp/bench.code | wc -c',
    v86Seconds: 7.9,
  },
  {
    name: 'bzip2zeros',
    what: '16 MiB of zeros through bzip2',
    full: 256,
    quick: 8,
    repetitions: 2,
    run: `${zeros} | bzip2 -c | wc -c`,
    v86Seconds: 4.4,
  },
  {
    name: 'bzip2',
    what: '8 MiB of program code through bzip2',
    full: 128,
    quick: 2,
    repetitions: 1,
    prepare:
      'while cat /bin/busybox; do :; done 2>/dev/null | dd of=/tmp/bench.code bs=64k count=$size iflag=fullblock',
    run: 'bzip2 -c </tmp/bench.code | wc -c',
    v86Seconds: 15.9,
  },
  {
    name: 'awk',
    what: '1,000,000 iterations of floating-point arithmetic with %',
    full: 1_000_000,
    quick: 5000,
    repetitions: 1,
    run: `awk -v n=$size 'BEGIN { for (i = 1; i <= n; i++) { x = (x * 1.0001 + i * 2.5) % 1000003.7; y += x / i } printf "%.9g %.9g\\n", x, y }'`,
    v86Seconds: 32.8,
  },
  {
    name: 'sh',
    what: '100,000 iterations of i=$((i+1))',
    full: 100_000,
    quick: 2000,
    repetitions: 1,
    run: 'i=0; while [ $i -lt $size ]; do i=$((i+1)); done; echo $i',
    v86Seconds: 13.2,
  },
  {
    name: 'fork',
    what: '200 times fork and exec of busybox true',
    full: 200,
    quick: 10,
    repetitions: 2,
    run: 'i=0; while [ $i -lt $size ]; do /bin/busybox true; i=$((i+1)); done',
    v86Seconds: 5.2,
  },
  {
    name: 'sort',
    what: '8 MiB of text sorted by line',
    full: 128,
    quick: 1,
    repetitions: 1,
    prepare: text,
    run: 'sort /tmp/bench.text | md5sum',
  },
  {
    name: 'grep',
    what: 'two regular expressions over 8 MiB of text',
    full: 128,
    quick: 1,
    repetitions: 1,
    prepare: text,
    run: "grep -c 'q[a-f]*z' /tmp/bench.text; grep -c -E '(abc|xyz)|[k-m]{4}' /tmp/bench.text",
  },
  {
    name: 'pipes',
    what: '64 MiB in blocks of 4 KiB through three pipes',
    full: 16_384,
    quick: 128,
    repetitions: 1,
    run: 'dd if=/dev/zero bs=4k count=$size 2>/dev/null | cat | cat | wc -c',
  },
  {
    name: 'copy',
    what: '256 MiB copied from file to file in memory',
    full: 16,
    quick: 1,
    repetitions: 3,
    prepare: `dd if=/dev/zero of=/tmp/bench.a bs=64k count=256; cp /tmp/bench.a /tmp/bench.b`,
    run: 'i=0; while [ $i -lt $size ]; do dd if=/tmp/bench.a of=/tmp/bench.b bs=64k conv=notrunc 2>/dev/null; i=$((i+1)); done',
  },
  {
    name: 'files',
    what: '2,000 small files made, listed, read and removed',
    full: 2000,
    quick: 50,
    repetitions: 4,
    run: 'mkdir /tmp/bench.d; i=0; while [ $i -lt $size ]; do echo $i >/tmp/bench.d/$i; i=$((i+1)); done; ls -l /tmp/bench.d | wc -l; cat /tmp/bench.d/* | wc -c; rm -r /tmp/bench.d',
  },
  {
    name: 'stream',
    what: '60 times a[i] = b[i] + 3 c[i] over 24 MiB of doubles',
    full: 60,
    quick: 1,
    repetitions: 1,
    run: '/bench/bin/stream $size',
  },
  {
    name: 'random',
    what: '10,000,000 words of 64 MiB read and written by chance',
    full: 10_000_000,
    quick: 100_000,
    repetitions: 1,
    run: '/bench/bin/random $size',
  },
  {
    name: 'integer',
    what: '300,000,000 rounds of a random generator with * and %',
    full: 300_000_000,
    quick: 100_000,
    repetitions: 1,
    run: '/bench/bin/integer $size',
  },
  {
    name: 'float',
    what: '20,000,000 steps of a particle, double precision',
    full: 20_000_000,
    quick: 20_000,
    repetitions: 1,
    run: '/bench/bin/float $size',
  },
  {
    name: 'branches',
    what: 'lengths of the Collatz sequences of 1 to 6,000,000',
    full: 6_000_000,
    quick: 5000,
    repetitions: 1,
    run: '/bench/bin/branches $size',
  },
  {
    name: 'calls',
    what: 'the 37th Fibonacci number by recursion',
    full: 37,
    quick: 18,
    repetitions: 1,
    run: '/bench/bin/calls $size',
  },
  {
    name: 'indirect',
    what: '60,000,000 calls through a table of 16 pointers',
    full: 60_000_000,
    quick: 100_000,
    repetitions: 1,
    run: '/bench/bin/indirect $size',
  },
  {
    name: 'syscalls',
    what: '500,000 reads and writes of one byte',
    full: 500_000,
    quick: 2000,
    repetitions: 1,
    run: 'dd if=/dev/zero of=/dev/null bs=1 count=$size 2>/dev/null',
  },
  {
    name: 'faults',
    what: '20 times 16 MiB mapped, touched, unmapped',
    full: 20,
    quick: 1,
    repetitions: 3,
    run: '/bench/bin/faults $size',
  },
  {
    name: 'switches',
    what: '40,000 bytes to and fro between two processes',
    full: 40_000,
    quick: 500,
    repetitions: 1,
    run: '/bench/bin/switches $size',
  },
  {
    name: 'disk',
    what: '32 MiB written to and read from a virtio disk, past the cache, in 64 KiB and 4 KiB',
    full: 1,
    quick: 16,
    repetitions: 1,
    run:
      'for block in 64 4; do count=$((32768 / block / size)); ' +
      'dd if=/bin/busybox of=/dev/vda bs=64k count=8 oflag=direct 2>/dev/null; ' +
      'dd if=/dev/zero of=/dev/vda bs="$block"k count=$count seek=512 oflag=direct 2>/dev/null; ' +
      'dd if=/dev/vda bs="$block"k count=$count iflag=direct 2>/dev/null | wc -c; done',
  },
  ...DEBIAN_ROWS,
];

/** The file that the guest's script reads for a row. */
export function guestFile({ full, quick, repetitions, prepare, run }: Row): string {
  return [
    `size=${full} quick=${quick} repetitions=${repetitions}`,
    `prepare() { ${prepare ?? ':'}; }`,
    `run() { ${run}; }`,
    '',
  ].join('\n');
}
