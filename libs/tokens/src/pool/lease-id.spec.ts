import fc from 'fast-check';
import { fenceOf, newLeaseId } from './lease-id.js';

const MAX_FENCE = 2 ** 48 - 1;
const fences = fc.integer({ min: 1, max: MAX_FENCE });

test('a lease id is a UUID of version 8', () => {
  fc.assert(
    fc.property(fences, (fence) => {
      expect(newLeaseId(fence)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }),
  );
});

test('a lease id names its fence', () => {
  fc.assert(fc.property(fences, (fence) => expect(fenceOf(newLeaseId(fence))).toBe(fence)));
});

test.each([1, 0xffff, 0x1_0000, 2 ** 32, MAX_FENCE])('a lease id names the fence %d', (fence) => {
  expect(fenceOf(newLeaseId(fence))).toBe(fence);
});

test('nobody can guess a lease id from its fence: no two of a thousand share their random part', () => {
  const ids = Array.from({ length: 1000 }, () => newLeaseId(7));
  expect(new Set(ids.map((id) => id.slice(15))).size).toBe(1000);
  expect(new Set(ids.map((id) => id.slice(0, 15)))).toEqual(new Set(['00000000-0007-8']));
});

test('lease ids sort in the order of granting', () => {
  const ids = [1, 2, 15, 16, 255, 256, 65_535, 65_536, 2 ** 40].map(newLeaseId);
  expect([...ids].sort()).toEqual(ids);
});

test('an id that is not ours names some fence and breaks nothing', () => {
  expect(fenceOf('ffffffff-ffff-4fff-bfff-ffffffffffff')).toBe(MAX_FENCE);
  expect(fenceOf('00000000-0000-0000-0000-000000000000')).toBe(0);
});
