// The input of the hashes is plain JSON, so that another program can check the chain.

import { createHash } from 'node:crypto';
import { canonical } from '../kernel/canonical-json.js';
import { CHAIN_BEGINS, nextHash } from './event-chain.js';
import type { RecordedEventView } from '../reading/views.js';

const EVENT: RecordedEventView = {
  pool: 'p',
  seq: 7,
  id: '00000000-0000-4000-8000-000000000001',
  token_id: '00000000-0000-4000-8000-000000000002',
  event: 'activated',
  reason: 'allocated',
  occurred_at: 1_763_755_449_123_456,
  recorded_at: 1_763_755_449_123_457,
  user_id: '00000000-0000-4000-8000-000000000003',
  fence: 3,
  lease_id: '00000000-0000-4000-8000-000000000004',
  activated_at: 1_763_755_449_123_456,
  expires_at: 1_763_755_569_123_456,
  metadata: { b: [1, { d: null, c: 'ü "quoted" \u2028' }], a: 1e21 },
  key_id: 'k1',
  actor: 'k1',
  request_id: 'a "request"\n',
  tokens_after: 10,
  leases_after: 3,
  holder: null,
  hash: null,
};
const NOBODY: RecordedEventView = {
  ...EVENT,
  event: 'generated',
  reason: null,
  user_id: null,
  fence: null,
  lease_id: null,
  activated_at: null,
  expires_at: null,
  metadata: null,
  key_id: null,
  actor: null,
  request_id: null,
  tokens_after: null,
  leases_after: null,
};

/** The columns in their order, said once more. */
const COLUMNS =
  'pool seq id token_id event reason occurred_at recorded_at user_id fence lease_id activated_at expires_at metadata key_id actor request_id tokens_after leases_after'.split(
    ' ',
  ) as (keyof RecordedEventView)[];

test.each([EVENT, NOBODY])('the hash is that of a JSON array of the hash before and all columns', (event) => {
  const metadata = event.metadata && '{"a":1e+21,"b":[1,{"c":"ü \\"quoted\\" \u2028","d":null}]}';
  const columns = COLUMNS.map((column) => (column === 'metadata' ? metadata : event[column]));
  const expected = createHash('sha256')
    .update(JSON.stringify([CHAIN_BEGINS, ...columns]), 'utf8')
    .digest('hex');
  expect(nextHash(CHAIN_BEGINS, event)).toBe(expected);
});

test('a holder is the last column of those events that have one', () => {
  const hashed = (event: RecordedEventView, holder: string[]): string => {
    const columns = COLUMNS.map((column) => event[column]);
    return createHash('sha256')
      .update(JSON.stringify([CHAIN_BEGINS, ...columns, ...holder]), 'utf8')
      .digest('hex');
  };
  const event = { ...EVENT, metadata: null };
  expect(nextHash(CHAIN_BEGINS, event)).toBe(hashed(event, []));
  for (const holder of ['ci-4711', 'Zoë "7"']) {
    expect(nextHash(CHAIN_BEGINS, { ...event, holder })).toBe(hashed(event, [holder]));
  }
});

test('metadata has one form, whatever the order of its keys', () => {
  expect(canonical({ b: 1, a: { '10': 1, '9': 2 } })).toBe(canonical({ a: { '9': 2, '10': 1 }, b: 1 }));
  expect(canonical({ a: [1, 2] })).not.toBe(canonical({ a: [2, 1] }));
  expect(canonical(JSON.parse('{"__proto__":{"x":1}}'))).toBe('{"__proto__":{"x":1}}');
});
