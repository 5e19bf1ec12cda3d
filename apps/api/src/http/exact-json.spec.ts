import fc from 'fast-check';
import { whyNotExact as whyNot } from './exact-json.js';

const whyNotExact = (json: string): string | null => whyNot(json, JSON.parse(json));

describe('a number in a body', () => {
  test.each([
    '12345678901234567890',
    '9007199254740993',
    '1e400',
    '-1e400',
    '1e-400',
    '0.10000000000000000001',
    '0.1234567890123456789',
    '-0',
    '-0.0',
    '-0e7',
    '1e99999999999999999999',
  ])('is refused where it would be changed: %s', (literal) => {
    const why = whyNotExact(`{"metadata":{"sizes":[1,${literal}]}}`);
    expect(why).toContain('metadata.sizes[1]');
    expect(why).toContain(literal);
    expect(whyNotExact(`{"ttl_seconds" : ${literal} }`)).toContain('ttl_seconds');
    expect(whyNotExact(literal)).toContain('the body');
  });

  test.each([
    '0',
    '0.0',
    '0e99',
    '1.0',
    '1e3',
    '1E+3',
    '-17.50',
    '0.1',
    '0.30000000000000004',
    '9007199254740991',
    '100000000000000000000',
    '1e23',
    '1.7976931348623157e308',
    '5e-324',
    '1000000000000000000000000.000',
  ])('may be written as it likes where its value stays: %s', (literal) => {
    expect(whyNotExact(`{"metadata":{"sizes":[${literal}]}}`)).toBeNull();
  });

  test('may look like anything within a text', () => {
    expect(whyNotExact(String.raw`{"a":"1e400","b\"-0":"12345678901234567890\\","c":["\"",-1,"{"]}`)).toBeNull();
  });

  test('is refused exactly when what is written of it is another number', () => {
    const digits = fc.stringMatching(/^(0|[1-9]\d{0,20})$/);
    const literal = fc
      .tuple(
        fc.constantFrom('', '-'),
        digits,
        fc.stringMatching(/^(\.\d{1,22})?$/),
        fc.stringMatching(/^([eE][+-]?\d{1,3})?$/),
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(literal, (text) => {
        expect([text, whyNotExact(`[${text}]`) === null]).toEqual([text, isSame(text, JSON.stringify(Number(text)))]);
      }),
      { numRuns: 2_000 },
    );
  });

  test('of any size is looked at in linear time', () => {
    const zeros = '0'.repeat(8_000);
    const began = performance.now();
    for (let n = 0; n < 20; n++) whyNotExact(`{"a":0.${zeros}1,"b":1${zeros}1,"c":"${'\\\\'.repeat(4_000)}"}`);
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

/** Compares whole numbers, so that this check rounds nothing. */
function isSame(one: string, other: string): boolean {
  if (other === 'null') return false;
  const [a, b] = [scaled(one), scaled(other)];
  const least = Math.min(a.exponent, b.exponent);
  const [x, y] = [a, b].map(({ digits, exponent }) => digits * 10n ** BigInt(exponent - least));
  return x === y && (x !== 0n || one.startsWith('-') === other.startsWith('-'));
}

function scaled(literal: string): { digits: bigint; exponent: number } {
  const [mantissa, exponent = '0'] = literal.toLowerCase().split('e') as [string, string?];
  const [whole, fraction = ''] = mantissa.split('.') as [string, string?];
  return { digits: BigInt(whole + fraction), exponent: Number(exponent) - fraction.length };
}

describe('a name', () => {
  test('is refused where an object has it twice, however it is spelt', () => {
    expect(whyNotExact('{"metadata":{"a":1,"b":{},"a":1}}')).toContain('metadata.a');
    expect(whyNotExact(String.raw`{"pool":"default","\u0070ool":"elastic"}`)).toContain('pool');
    expect(whyNotExact('{"__proto__":1,"__proto__":2}')).toContain('__proto__');
  });

  test('may be that of another object', () => {
    expect(whyNotExact('{"a":{"a":[{"a":1},{"a":1}]},"b":{"a":"a"}}')).toBeNull();
  });
});
