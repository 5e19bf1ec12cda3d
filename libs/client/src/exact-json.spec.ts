import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { parseExactJson, stringifyExactJson } from './exact-json.js';

describe('parseExactJson', () => {
  test.each([
    ['12345678901234567890', '12345678901234567000'],
    ['9007199254740993', '9007199254740992'],
    ['0.10000000000000000001', '0.1'],
    ['1e400', 'Infinity'],
    ['-1e400', '-Infinity'],
    ['1e-400', '0'],
    ['-0', '0'],
  ])('refuses and names a number that would change: %s', (number, changed) => {
    const message = `the number ${number} would be changed to ${changed}: write it as a string`;
    expect(() => parseExactJson(`{"a":[1, {"b":${number}}]}`)).toThrow(new RangeError(message));
  });

  test.each(['{"a":1,"b":{},"a":2}', '[{"b":{"c":[], "a" : {"a":1},"\\u0061":2}}]', '{"a":"}","a":1}'])(
    'refuses an object that has one name twice: %s',
    (text) => expect(() => parseExactJson(text)).toThrow(/^"(a|\\u0061)" is there twice in one object/),
  );

  test.each(['', '{', '{"a":}', '[01]', '{a:1}', '"\n"'])('refuses text that is no JSON: %j', (text) => {
    expect(() => parseExactJson(text)).toThrow(SyntaxError);
  });

  test.each([
    '1.0',
    '1e3',
    '100000000000000000000',
    '1E+2',
    '0.50',
    '5e-324',
    '"1e400"',
    '"\\"a\\":1e400"',
    '{"a":{"a":1}}',
  ])('accepts every notation that keeps the value: %s', (text) =>
    expect(parseExactJson(text)).toEqual(JSON.parse(text)),
  );

  test('accepts everything that JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false }), (text) => {
        expect(parseExactJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test('takes time in proportion to the length of the text', () => {
    const text = JSON.stringify({ names: Array(200_000).fill('a"b'), long: '\\'.repeat(2_000_000) });
    expect(parseExactJson(text)).toEqual(JSON.parse(text));
  });
});

describe('stringifyExactJson', () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;

  test.each<[string, unknown, string]>([
    ['NaN', { x: NaN }, '"x" is the number NaN, which JSON cannot say'],
    ['infinity', { x: [1, -Infinity] }, '"1" is the number -Infinity'],
    ['a zero below zero', { x: -0 }, '"x" is the number -0'],
    ['nothing in an array', { x: [undefined] }, '"0" is undefined'],
    ['a hole in an array', { x: Array(1) }, '"0" is undefined'],
    ['a BigInt', { x: 10n }, '"x" is a bigint'],
    ['a function', { x: () => 'secret' }, '"x" is a function, which JSON cannot say'],
    ['a symbol', { x: Symbol('s') }, '"x" is a symbol'],
    ['a map', { x: new Map([[1, 2]]) }, '"x" is a Map'],
    ['a set', { x: new Set([1]) }, '"x" is a Set'],
    ['bytes', { x: new Uint8Array(2) }, '"x" is a Uint8Array'],
    ['an error', { x: new Error('secret') }, '"x" is a Error, which JSON cannot say'],
    ['a date that is none', { x: new Date(NaN) }, '"x" is a Date'],
    ['itself', circle, 'circular'],
  ])('has no %s', (_, body, message) => {
    const attempt = (): string => stringifyExactJson({ metadata: body });
    expect(attempt).toThrow(TypeError);
    expect(attempt).toThrow(message);
  });

  test('writes what JSON.stringify writes: no undefined properties, and the result of toJSON', () => {
    class Seat {
      row = 7;
    }
    const body = {
      plain: [null, true, 'ü', 1.5, 1e300, {}],
      none: undefined,
      at: new Date(0),
      seat: new Seat(),
      bare: Object.assign(Object.create(null) as object, { a: 1 }),
      elsewhere: runInNewContext('({ list: [{}] })') as unknown,
    };
    expect(stringifyExactJson(body)).toBe(JSON.stringify(body));
  });
});
