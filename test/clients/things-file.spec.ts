// The service and the client each check things, since neither may import the other: the client says all that is wrong
// with a file before it sends any of it. They agree.

import { whyNotExact } from '../../apps/api/src/http/exact-json.js';
import { CheckedPipe } from '../../apps/api/src/http/checked.pipe.js';
import { MAX_IMPORT_BYTES } from '../../apps/api/src/http/json-body.js';
import { HttpProblem } from '../../apps/api/src/http/problem.js';
import { ImportBody, MAX_THINGS } from '../../apps/api/src/things/thing.requests.js';
import { inRequests, parseThings, type GivenThing } from '../../libs/client/src/things-file.js';

const pipe = new CheckedPipe();

/** @returns the names as the service keeps them; null when it refuses */
function takenByService(json: string): string[] | null {
  const body: unknown = JSON.parse(json);
  if (whyNotExact(json, body) !== null) return null;
  try {
    const { tokens } = pipe.transform(body, { type: 'body', metatype: ImportBody }) as ImportBody;
    return tokens.map(({ name }) => name);
  } catch (error) {
    if (error instanceof HttpProblem) return null;
    throw error;
  }
}

function takenByClient(json: string): string[] | null {
  const { things, problems } = parseThings(json);
  return problems.length > 0 ? null : things.map(({ name }) => name);
}

const many = (count: number, value: unknown = 1): Record<string, unknown> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, value]));
/** An object whose JSON has so many bytes. */
const ofBytes = (bytes: number, text = ''): object => ({ k: text + 'x'.repeat(bytes - 8 - Buffer.byteLength(text)) });
const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

const name = (text: unknown): string => JSON.stringify({ name: text });
const attributes = (value: unknown): string => JSON.stringify({ name: 'a', attributes: value });
const secret = (value: unknown): string => JSON.stringify({ name: 'a', secret: value });

test.each<[string, string, boolean]>([
  ['a name', name('+49 30 901820'), true],
  ['a name of one blank', name(' '), true],
  ['a name of 200 characters', name('n'.repeat(200)), true],
  ['a name of 201 characters', name('n'.repeat(201)), false],
  ['a name of 200 characters beyond the first plane', name('🦊'.repeat(200)), true],
  ['a name of 200 characters in NFC', name('e\u0301'.repeat(200)), true],
  ['a name with a separator of lines', name('a\u2028b'), true],
  ...['\0', '\n', '\x1f', '\x7f', '\x80', '\x9f', '\ud800', '\udfff'].map((character): [string, string, boolean] => [
    `a name with ${JSON.stringify(character)}`,
    name(`a${character}`),
    false,
  ]),
  ...['', 7, null, ['a'], {}].map((value): [string, string, boolean] => [
    `the name ${JSON.stringify(value)}`,
    name(value),
    false,
  ]),
  ['no name', '{}', false],
  ['no object', '"a"', false],
  ['null', 'null', false],
  ['a list', '[]', false],
  ['another field', '{"name":"a","colour":"red"}', false],
  ['a name that is there twice', '{"name":"a"},{"name":"b"},{"name":"a"}', false],
  ['a name that is there in two forms', '{"name":"caf\u00e9"},{"name":"cafe\u0301"}', false],

  ['no attributes', attributes({}), true],
  ['attributes of every kind', attributes({ a: 'x', b: '', c: 1.5, d: true, e: false }), true],
  ['32 attributes', attributes(many(32)), true],
  ['33 attributes', attributes(many(33)), false],
  ['a key of 40 characters', attributes({ ['k'.repeat(40)]: 1 }), true],
  ['a key of 41 characters', attributes({ ['k'.repeat(41)]: 1 }), false],
  ...['', 'A', '1a', '_a', 'a-b', 'a.b', '@pool', 'é'].map((key): [string, string, boolean] => [
    `the key ${JSON.stringify(key)}`,
    attributes({ [key]: 1 }),
    false,
  ]),
  ['the key constructor', attributes({ constructor: 1 }), true],
  ['the key __proto__', '{"name":"a","attributes":{"__proto__":1}}', false],
  ...[null, {}, [], ['x'], 'a\0', 'a\ud800', '\udc00a'].map((value): [string, string, boolean] => [
    `an attribute ${JSON.stringify(value)}`,
    attributes({ a: value }),
    false,
  ]),
  ...[null, [], 'x', 1].map((value): [string, string, boolean] => [
    `attributes that are ${JSON.stringify(value)}`,
    attributes(value),
    false,
  ]),
  ['attributes of 4096 bytes', attributes(ofBytes(4096)), true],
  ['attributes of 4097 bytes', attributes(ofBytes(4097)), false],
  ['attributes of 4097 bytes in fewer characters', attributes(ofBytes(4097, 'ü')), false],
  ['attributes of 4096 bytes with escapes', attributes(ofBytes(4096 - 1, '"')), true],
  ['attributes that grow as they are stored', attributes(many(32, 1e300)), false],
  ['attributes that grow to no more than 4096 bytes', attributes(many(12, -1.5e300)), true],
  ['a number that cannot be kept', '{"name":"a","attributes":{"n":12345678901234567890}}', false],
  ['a key that is there twice', '{"name":"a","attributes":{"n":1,"n":1}}', false],

  ['no secret', secret(null), true],
  ['an empty secret', secret({}), true],
  ['a secret of anything', secret({ A: [null, { 'b c': 1 }], '': true }), true],
  ...[[], 'x', 1, true].map((value): [string, string, boolean] => [
    `a secret that is ${JSON.stringify(value)}`,
    secret(value),
    false,
  ]),
  ['a secret of 4096 bytes', secret(ofBytes(4096)), true],
  ['a secret of 4097 bytes', secret(ofBytes(4097)), false],
  ['a secret that grows as it is stored', secret({ n: Array<number>(20).fill(1e-300) }), false],
  ['a secret with U+0000', secret({ pin: 'a\0' }), false],
  ['a secret with U+0000 in a key', secret({ 'a\0': 1 }), false],
  ['a secret with half a character', secret({ pin: ['\ud83e'] }), false],
  ['a secret with what looks like an escape', secret({ pin: '\\u0000', more: '\\\\ud800' }), true],
  ['a secret that nests deep', `{"name":"a","secret":${nested(500)}}`, true],
  ['a secret that nests too deep', `{"name":"a","secret":${nested(100_000)}}`, false],
])('%s', (_what, json, isTaken) => {
  const whole = `{"tokens":[${json}]}`;
  expect([takenByService(whole) !== null, takenByClient(whole) !== null]).toEqual([isTaken, isTaken]);
  expect(takenByClient(whole)).toEqual(takenByService(whole));
});

test('the largest requests that the client makes are not too large for the service', () => {
  const small = Array.from({ length: MAX_THINGS * 2 }, (_, n): GivenThing => ({ name: `n${n}` }));
  const large = small.slice(0, 600).map((thing) => ({ ...thing, attributes: { a: 'ü'.repeat(2000) } }));
  const requests = [...inRequests(small), ...inRequests(large)].map((tokens) =>
    JSON.stringify({ tokens, missing: 'delete_when_free' }),
  );
  expect(requests.filter((json) => takenByService(json) === null)).toEqual([]);
  const sizes = requests.map((json) => Buffer.byteLength(json));
  expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_IMPORT_BYTES);
  expect(inRequests(small)[0]).toHaveLength(MAX_THINGS);
});
