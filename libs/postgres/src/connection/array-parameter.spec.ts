import { bigints, texts } from './array-parameter.js';

test('numbers are written as PostgreSQL sends them itself, null among them', () => {
  expect(bigints([1, null]).toString('hex')).toBe(
    '0000000100000001' + '00000014' + '00000002' + '00000001' + '00000008' + '0000000000000001' + 'ffffffff',
  );
});

test('an empty list has no dimension', () => {
  expect(bigints([]).toString('hex')).toBe('00000000' + '00000001' + '00000014');
});

test.each([0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 1_800_000_000_000_000, Number.MAX_SAFE_INTEGER, -1, -(2 ** 32), -5e12])(
  '%d is the same number to PostgreSQL',
  (number) => {
    expect(bigints([number]).readBigInt64BE(24)).toBe(BigInt(number));
  },
);

test('texts keep what arrays have a meaning for', () => {
  expect(texts(['a,b', '"', '\\', 'NULL', null])).toBe('{"a,b","\\"","\\\\","NULL",NULL}');
});
