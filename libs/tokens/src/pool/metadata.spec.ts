import fc from 'fast-check';
import { MAX_METADATA_BYTES, whyNotMetadata } from './metadata.js';

const NUL = String.fromCharCode(0);
const HIGH = String.fromCharCode(0xd83d);
const LOW = String.fromCharCode(0xde00);
const BACKSLASH = '\\';

const UNSTORABLE = 'must not contain U+0000 or half of a surrogate pair';
const TOO_LARGE = 'must be at most 4096 bytes of JSON';

/** `{"k":"…"}` of exactly so many bytes, made longer by a letter. */
const ofBytes = (bytes: number, letter = 'x'): object => ({
  k: letter.repeat((bytes - 8) / Buffer.byteLength(letter)),
});

describe('metadata', () => {
  test.each([[{}], [{ a: 1 }], [{ nested: { list: [1, 'two', null, true] } }], [{ '': '' }], [{ ключ: '🙂 \n\t"' }]])(
    'may be %j',
    (value) => {
      expect(whyNotMetadata(value)).toBeNull();
    },
  );

  test.each([[null], [undefined], ['text'], [7], [true], [[]], [[{ a: 1 }]]])('must be an object, not %j', (value) => {
    expect(whyNotMetadata(value)).toBe('must be a JSON object');
  });
});

describe('the size of metadata', () => {
  test('may be 4096 bytes and not one more', () => {
    expect(JSON.stringify(ofBytes(4096))).toHaveLength(4096);
    expect(whyNotMetadata(ofBytes(4096))).toBeNull();
    expect(whyNotMetadata(ofBytes(4097))).toBe(TOO_LARGE);
    expect(MAX_METADATA_BYTES).toBe(4096);
  });

  test('counts bytes, not letters', () => {
    expect(whyNotMetadata(ofBytes(4096, 'é'))).toBeNull();
    expect(whyNotMetadata(ofBytes(4098, 'é'))).toBe(TOO_LARGE);
    expect(whyNotMetadata(ofBytes(4096, '🙂'))).toBeNull();
    expect(whyNotMetadata(ofBytes(4100, '🙂'))).toBe(TOO_LARGE);
  });

  test.each([
    [1e308, 309],
    [-1e308, 310],
    [1.7976931348623157e308, 309],
    [1e21, 22],
    [1e-7, 9],
    [1.5e-7, 10],
    [-1e-300, 303],
    [2.5e-300, 303],
    [5e-324, 326],
    [100_000_000_000_000_000_000, 21],
    [0.000001, 8],
  ])('counts the number %s as PostgreSQL writes it out, with %i characters', (number, characters) => {
    const padding = (left: number): object => ({ n: number, 'e"1e308,': 'x'.repeat(left) });
    const left = MAX_METADATA_BYTES - JSON.stringify(padding(0)).length + JSON.stringify(number).length - characters;
    expect(whyNotMetadata(padding(left))).toBeNull();
    expect(whyNotMetadata(padding(left + 1))).toContain('4096 bytes');
  });

  test('is that of what is stored, not of what is sent', () => {
    const numbers = (count: number): object => ({ n: Array.from({ length: count }, () => 1e308) });
    expect(whyNotMetadata(numbers(13))).toBeNull();
    expect(whyNotMetadata(numbers(14))).toBe(`${TOO_LARGE} with its numbers written out (1e300 has 301 digits)`);
  });

  test('is refused, not crashed upon, when a body of 16 kB nests as deep as it can', () => {
    const depth = 7_000;
    const deep: unknown = JSON.parse(`{"k":${'['.repeat(depth)}${']'.repeat(depth)}}`);
    expect(whyNotMetadata(deep)).toBe(TOO_LARGE);
  });
});

describe('what PostgreSQL cannot store', () => {
  const unstorable: [string, string][] = [
    ['U+0000', NUL],
    ['the first half of a pair', HIGH],
    ['the second half of a pair', LOW],
    ['a pair the wrong way round', LOW + HIGH],
    ['a half before a whole pair', HIGH + HIGH + LOW],
    ['U+0000 after a backslash', BACKSLASH + NUL],
    ['U+0000 after two backslashes', BACKSLASH.repeat(2) + NUL],
    ['a half after a backslash', BACKSLASH + HIGH],
    ['U+0000 after a line break', `\n${NUL}`],
    ['U+0000 after a quotation mark', `"${NUL}`],
    ['the lowest half', String.fromCharCode(0xd800)],
    ['the highest half', String.fromCharCode(0xdfff)],
  ];

  test.each(unstorable)('is refused as a value: %s', (_, text) => {
    expect(whyNotMetadata({ k: text })).toBe(UNSTORABLE);
    expect(whyNotMetadata({ k: `before ${text} after` })).toBe(UNSTORABLE);
  });

  test.each(unstorable)('is refused as a key: %s', (_, text) => {
    expect(whyNotMetadata({ [text]: 1 })).toBe(UNSTORABLE);
  });

  test.each(unstorable)('is refused deep inside: %s', (_, text) => {
    expect(whyNotMetadata({ a: [{ b: [1, [text]] }] })).toBe(UNSTORABLE);
    expect(whyNotMetadata({ a: [{ b: { [text]: null } }] })).toBe(UNSTORABLE);
  });
});

describe('what only looks like it', () => {
  test.each([
    ['the letters of an escape', `${BACKSLASH}u0000`],
    ['the letters of an escaped half', `${BACKSLASH}ud800`],
    ['an escape behind more backslashes', `${BACKSLASH.repeat(3)}u0000`],
    ['an escape behind an even number of backslashes', `${BACKSLASH.repeat(4)}uDFFF`],
    ['the word without a backslash', 'u0000 ud800'],
    ['another control character', String.fromCharCode(1)],
    ['a neighbour of the halves', String.fromCharCode(0xd7ff) + String.fromCharCode(0xe000)],
    ['a whole pair', HIGH + LOW],
  ])('is kept: %s', (_, text) => {
    expect(whyNotMetadata({ k: text })).toBeNull();
    expect(whyNotMetadata({ [text]: [text] })).toBeNull();
  });
});

test('a text is refused exactly when it has U+0000 or is not well-formed', () => {
  // The alphabet makes the rare letters frequent.
  const unit = fc.constantFrom(NUL, HIGH, LOW, BACKSLASH, 'u', '0', '0000', 'd800', 'u0000', '"', '\n', 'x');
  const text = fc.array(unit, { maxLength: 12 }).map((units) => units.join(''));
  fc.assert(
    fc.property(text, (value) => {
      const isStorable = !value.includes(NUL) && isWellFormed(value);
      expect(whyNotMetadata({ k: value })).toBe(isStorable ? null : UNSTORABLE);
    }),
    { numRuns: 2_000 },
  );
});

/** A lone half does not survive UTF-8. */
const isWellFormed = (text: string): boolean => Buffer.from(text).toString() === text;
