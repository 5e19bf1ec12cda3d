import { bigints, texts } from './array-parameter.js';

test('bigints writes the same bytes as PostgreSQL sends, for null too', () => {
  expect(bigints([1, null]).toString('hex')).toBe(
    '0000000100000001' + '00000014' + '00000002' + '00000001' + '00000008' + '0000000000000001' + 'ffffffff',
  );
});

test('bigints writes an empty list as an array without dimensions', () => {
  expect(bigints([]).toString('hex')).toBe('00000000' + '00000001' + '00000014');
});

test.each([0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 1_800_000_000_000_000, Number.MAX_SAFE_INTEGER, -1, -(2 ** 32), -5e12])(
  'PostgreSQL reads %d as the same number',
  (number) => {
    expect(bigints([number]).readBigInt64BE(24)).toBe(BigInt(number));
  },
);

test('texts escapes the characters and words that have a meaning in an array', () => {
  expect(texts(['a,b', '"', '\\', 'NULL', null])).toBe('{"a,b","\\"","\\\\","NULL",NULL}');
});
