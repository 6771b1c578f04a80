/**
 * What the kernel finds when it tests its own cryptography at boot, on translated code: AES, SHA, RSA,
 * elliptic curves, compression. The template leaves the tests out, here they are put in again.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { Guest, type GuestOptions, stopGuests } from './guest.ts';

afterEach(({ task }) => stopGuests(task.result?.state === 'fail'));

const look = async (options: GuestOptions) => {
  const { guest, result } = await Guest.command(
    // Tests run in the background: one that is not over is "unknown".
    'i=0; while [ $i -lt 100 ] && grep -q "^selftest *: unknown" /proc/crypto; do sleep 0.1; i=$((i+1)); done; ' +
      'cat /sys/module/cryptomgr/parameters/notests; dmesg | grep "alg: "; cat /proc/crypto',
    options,
  );
  const { instructions, translated_instructions } = guest.machine.stats();
  guest.stop();
  return { text: result.stdout.toString(), instructions, translated_instructions };
};

describe('the kernel’s self-tests of its cryptography', () => {
  test.each<GuestOptions & { name: string }>([
    { name: 'hot code translated', tier: 'both' },
    { name: 'nearly all translated', tier: 'both', translator: { threshold: 200 } },
  ])('pass, $name', async (options) => {
    const without = await look(options);
    const tested = await look({ ...options, append: 'cryptomgr.notests=0' });
    expect(without.text).toMatch(/^Y\n/);
    expect(tested.text).toMatch(/^N\n/);
    expect(tested.text).not.toMatch(/alg: /);
    const results = tested.text.match(/^selftest +: .*$/gm) ?? [];
    expect(results.length).toBeGreaterThan(30);
    expect(results.filter((line) => !line.endsWith(': passed'))).toEqual([]);
    for (const driver of [
      'aes-generic',
      'sha256-generic',
      'rsa-generic',
      'ecdsa-nist-p256-generic',
    ]) {
      expect(tested.text).toContain(driver);
    }
    // They did run, and most of them translated.
    expect(tested.instructions).toBeGreaterThan(1.5 * without.instructions);
    expect(tested.translated_instructions).toBeGreaterThan(0.7 * tested.instructions);
  });
});
