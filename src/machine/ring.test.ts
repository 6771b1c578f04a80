import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteRing } from './ring.ts';

test('a ring gives back what it took, in order, and never more than it holds', () => {
  const step = fc.oneof(
    fc.record({ push: fc.uint8Array({ maxLength: 12 }) }),
    fc.record({ take: fc.nat(12) }),
    fc.record({ shift: fc.constant(true) }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.array(step), (capacity, steps) => {
      const ring = new ByteRing(capacity);
      let model: number[] = [];
      for (const one of steps) {
        if ('push' in one) {
          const taken = ring.push(one.push);
          expect(taken).toBe(Math.min(one.push.length, capacity - model.length));
          model.push(...one.push.subarray(0, taken));
        } else if ('take' in one) {
          const part = [...ring.peek(one.take)];
          expect(part).toEqual(model.slice(0, part.length));
          if (one.take > 0 && model.length > 0) expect(part.length).toBeGreaterThan(0);
          ring.drop(part.length);
          model = model.slice(part.length);
        } else {
          expect(ring.shift()).toBe(model.shift() ?? -1);
        }
        expect([...ring.bytes()]).toEqual(model);
        expect(ring.length + ring.space).toBe(capacity);
      }
    }),
  );
});
