import { expect, test } from 'vitest';
import { kernelEvent } from './events.ts';

test.each([
  [
    '[   12.345678] Out of memory: Killed process 77 (python3) total-vm:90000kB, anon-rss:1kB',
    { kind: 'memory', level: 'warning', text: 'The guest had no memory left and ended python3.' },
  ],
  [
    '[   12.345678] I/O error, dev vda, sector 128 op 0x1:(WRITE) flags 0x800',
    {
      kind: 'disk-error',
      level: 'warning',
      text: "The guest's kernel says: I/O error, dev vda, sector 128 op 0x1:(WRITE) flags 0x800",
    },
  ],
  [
    'EXT4-fs error (device vda): ext4_lookup:1\x1b[31m',
    {
      kind: 'disk-error',
      level: 'error',
      text: "The guest's kernel says: EXT4-fs error (device vda): ext4_lookup:1 [31m",
    },
  ],
  [
    '[1.5] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!',
    {
      kind: 'guest',
      level: 'error',
      text: "The guest's kernel says: watchdog: BUG: soft lockup - CPU#0 stuck for 22s!",
    },
  ],
])('%s', (line, event) => {
  expect(kernelEvent(line)).toEqual(event);
});

test.each([
  '[    0.000000] Linux version 6.12',
  'python3 invoked oom-killer: gfp_mask=0x140cca, order=0, oom_score_adj=0',
  'root@micro:~# ',
  '',
])('no event: %s', (line) => {
  expect(kernelEvent(line)).toBeUndefined();
});
