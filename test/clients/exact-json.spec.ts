// The service and the client each find the numbers that JSON.parse would change, since neither may import the other.
// They agree.

import { whyNotExact } from '../../apps/api/src/http/exact-json.js';
import { parseExactJson } from '../../libs/client/src/exact-json.js';

const isTakenByService = (json: string): boolean => whyNotExact(json, JSON.parse(json)) === null;

function isTakenByClient(json: string): boolean {
  try {
    parseExactJson(json);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

test.each([
  ['0', true],
  ['-0', false],
  ['-0.0', false],
  ['1.0', true],
  ['1e0', true],
  ['1E+2', true],
  ['0.1', true],
  ['0.30000000000000004', true],
  ['0.1000000000000000055511151231257827', false],
  ['9007199254740991', true],
  ['9007199254740993', false],
  ['1000000000000000000000', true],
  ['1e21', true],
  ['1e308', true],
  ['1e400', false],
  ['-1e400', false],
  ['5e-324', true],
  ['1e-400', false],
  ['0e400', true],
])('the number %s', (literal, isTaken) => {
  for (const json of [literal, `[${literal}]`, `{"metadata":{"n":[1,${literal}]}}`]) {
    expect([json, isTakenByService(json), isTakenByClient(json)]).toEqual([json, isTaken, isTaken]);
  }
});

test.each([
  ['{"a":1,"a":1}', false],
  [String.raw`{"a":1,"\u0061":1}`, false],
  ['{"m":{"a":1},"n":{"a":1}}', true],
  ['[{"a":1},{"a":1}]', true],
  [String.raw`{"t":"\"a\":1,\"a\":1e400"}`, true],
])('the names of %s', (json, isTaken) => {
  expect([isTakenByService(json), isTakenByClient(json)]).toEqual([isTaken, isTaken]);
});

test('the client looks at a long run of zeros in linear time', () => {
  const json = `[${'1'}${'0'.repeat(200_000)}1]`;
  const began = performance.now();
  expect(isTakenByClient(json)).toBe(false);
  expect(performance.now() - began).toBeLessThan(2000);
});
