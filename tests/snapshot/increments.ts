/**
 * A program that increments numbers in each page of RAM for ever and checks them: with stores of all
 * kinds, across pages, atomically, by cache block. A page that is not what it left ends it.
 */
import type { Machine } from '../../src/machine/machine.ts';
import { END } from '../machine/bare-metal.ts';

/** An end without the host's interface in RAM: 'off' where the other has exit code 0. */
export const BY_SYSCON = `
  addi t0, t0, -1
  beqz t0, passed
  li t0, 0x33333
  j finish
passed:
  li t0, 0x5555
finish:
  li t1, 0x100000
  sw t0, 0(t1)
  j .
`;

const FIRST = 0x8010_0000;
const PAGES = 1500;

/** Passes over all pages, each of which checks and increments; exit code 0 when something is typed. */
export const increments = (pages = PAGES, ending = END): string => `
  li s0, 0
  li s1, 0x10000000
  li s3, ${FIRST + pages * 4096}
pass:
  li a0, ${FIRST}
page:
  lbu t0, 16(a0)
  andi t1, s0, 255
  bne t0, t1, lost
  addi t0, t0, 1
  sb t0, 16(a0)
  addi a1, a0, 8
  li t2, 1
  amoadd.w t0, t2, (a1)
  bne t0, s0, lost
  addi a1, a0, 24
again:
  lr.d t0, (a1)
  bne t0, s0, lost
  addi t0, t0, 1
  sc.d t1, t0, (a1)
  bnez t1, again
  li t2, 4092
  add a1, a0, t2
  ld t0, 0(a1)
  bne t0, s0, lost
  addi t0, t0, 1
  sd t0, 0(a1)
  addi a1, a0, 128
  ld t0, 0(a1)
  bne t0, s0, lost
  cbo.zero (a1)
  addi t0, t0, 1
  sd t0, 0(a1)
  li t2, 4096
  add a0, a0, t2
  bltu a0, s3, page
  addi s0, s0, 1
  lbu t0, 5(s1)
  andi t0, t0, 1
  beqz t0, pass
  li t0, 1
  j done
lost:
  li t0, 7
done:
${ending}`;

/** Runs a machine for some passes more, then to its end; its exit code. */
export async function end(one: Machine): Promise<number | string> {
  const ended = new Promise<number | string>((resolve) => {
    one.onState((state) => {
      if (state.kind === 'off') resolve(state.exitCode ?? 'off');
      if (state.kind === 'crashed') resolve(state.reason ?? 'crashed');
    });
  });
  if (one.state.kind === 'paused') one.resume();
  await instructions(one, 400_000);
  one.consoleInput(Uint8Array.of(0x71));
  return ended;
}

export const instructions = async (one: Machine, count: number) => {
  const from = one.stats().instructions;
  while (one.state.kind === 'running' && one.stats().instructions - from < count) {
    await new Promise((resolve) => setImmediate(resolve));
  }
};
