import type { Pool } from './api.js';
import {
  count,
  countdown,
  duration,
  generateFirst,
  number,
  numberIn,
  ordinal,
  policyInWords,
  rate,
  reasonInWords,
  shortened,
} from './words.js';

const POOL: Pool = {
  name: 'default',
  kind: 'fixed',
  size: 100,
  ttl_seconds: 120,
  renewable: false,
  max_lifetime_seconds: null,
  idle_ttl_seconds: null,
  on_exhausted: 'evict_oldest',
  release_authority: 'anyone',
  max_per_user: null,
  max_per_key: null,
  protect_seconds: null,
  evict: 'oldest',
  max_waiting: 0,
  max_waiting_per_user: 1,
  claim_seconds: 10,
  patience_seconds: 30,
  cooldown_seconds: null,
  cooldown_after: 'always',
  after_use: 'available',
  clean_within_seconds: null,
  max_cleans: 3,
  disable_after_unclean: null,
  status: 'open',
  counts: { total: 100, available: 100, active: 0 },
  last_seq: 100,
};

test.each([
  [0.5, '0.5 s'],
  [9.96, '10 s'],
  [59.7, '1 min'],
  [120, '2 min'],
  [3_605, '1 h'],
  [5_400, '1 h 30 min'],
  [90_000, '1 d 1 h'],
  [31_536_000, '365 d'],
])('%d seconds are %s', (seconds, words) => {
  expect(duration(seconds)).toBe(words);
});

test.each([
  [0, '0:00'],
  [-5_000, '0:00'],
  [1, '0:01'],
  [92_000, '1:32'],
  [3_600_000, '1:00:00'],
  [90_000_000, '1 d 1 h'],
])('%d ms left are shown as %s', (ms, words) => {
  expect(countdown(ms)).toBe(words);
});

test.each<[string, number]>([
  ['120', 120],
  [' 1.5 ', 1.5],
  ['1,5', 1.5],
  ['.5', 0.5],
  ['-1', -1],
  ['1,000', 1_000],
  ['1,000,000', 1_000_000],
  ['1,234.5', 1_234.5],
  ['1.234,5', 1_234.5],
  ['1.000.000', 1_000_000],
  ['1.500', 1.5],
  ['1 000', 1_000],
  ['1\u202f000\u202f000', 1_000_000],
  ['1\u00a0234,5', 1_234.5],
  ['1’000', 1_000],
])('%j is read as %d', (text, value) => {
  expect(numberIn(text, 'en')).toBe(value);
});

test('a single point separates groups only in a language that groups by points', () => {
  expect(numberIn('1.000', 'de')).toBe(1_000);
  expect(numberIn('1.5', 'de')).toBe(1.5);
});

test('numberIn reads every number that number writes', () => {
  for (const n of [0, 7, 999, 1_000, 12_345, 1_000_000]) expect(numberIn(number(n))).toBe(n);
});

test.each(['abc', '1,00,000', '1e3', '0x10', 'Infinity', '1.2.3', '1,000,00', '9007199254740993', '--1'])(
  '%j is no number, and goes to the service as it is',
  (text) => expect(numberIn(text, 'en')).toBe(text),
);

test('an empty text is undefined', () => expect(numberIn('  ')).toBeUndefined());

test('counts have a singular, and an elastic pool that refuses gives advice', () => {
  expect(count(1, 'token')).toBe('1 token');
  expect(generateFirst({ kind: 'fixed', size: 5 }, 0)).toBe('');
  expect(generateFirst({ kind: 'elastic', size: 5 }, 5)).toBe('');
  expect(generateFirst({ kind: 'elastic', size: 5 }, 4)).toBe(' 1 more token may be generated.');
  expect(generateFirst({ kind: 'elastic', size: 5 }, 0)).toContain('generate one first');
});

test('the policy of the fixed pool in words', () => {
  expect(policyInWords(POOL)).toEqual([
    '100 tokens, made once.',
    'A lease lasts 2 min and cannot be kept alive.',
    'When none is free, the oldest lease is evicted.',
    'Everybody who knows a token may release it.',
  ]);
});

test('the policy of an elastic pool in words', () => {
  const elastic: Pool = {
    ...POOL,
    kind: 'elastic',
    size: 1,
    ttl_seconds: 60,
    renewable: true,
    max_lifetime_seconds: 3_600,
    idle_ttl_seconds: 300,
    on_exhausted: 'reject',
    release_authority: 'holder',
  };
  expect(policyInWords(elastic)).toEqual([
    'Up to 1 token, made on request.',
    'A lease lasts 1 min and can be kept alive, 1 h at most.',
    'When none is free, the request is refused.',
    'Only the holder of the lease may release it.',
    'A free token that nobody uses for 5 min is deleted.',
  ]);
});

test.each<[Partial<Pool>, string]>([
  [{ protect_seconds: 10 }, 'When none is free, the oldest lease is evicted, but none before it is 10 s old.'],
  [{ evict: 'over_share_first' }, 'When none is free, the oldest lease of the user who holds the most is evicted.'],
  [{ max_per_user: 1_000 }, 'At a time a user 1,000 at most.'],
  [{ max_per_user: 1, max_per_key: 2 }, 'At a time a user 1 and an API key 2 at most.'],
])('the policy of a fair pool in words: %j', (policy, sentence) => {
  expect(policyInWords({ ...POOL, ...policy })).toContain(sentence);
});

test('the policy of a pool that refuses names no eviction order', () => {
  const words = policyInWords({ ...POOL, on_exhausted: 'reject', protect_seconds: 10, evict: 'over_share_first' });
  expect(words).toContain('When none is free, the request is refused.');
});

test('a maximum age below the length of a lease shortens the stated length', () => {
  expect(policyInWords({ ...POOL, status: 'paused' })[0]).toBe('Paused: nothing is granted.');
  expect(policyInWords({ ...POOL, max_lifetime_seconds: 30 })).toContain(
    'A lease lasts 30 s and cannot be kept alive.',
  );
});

test('the same reason has different words for a token and for its lease', () => {
  expect(reasonInWords({ event: 'released', reason: 'revoked', metadata: {} })).toBe('by force');
  expect(reasonInWords({ event: 'deleted', reason: 'deleted_by_client', metadata: {} })).toBe('by a client');
  expect(reasonInWords({ event: 'released', reason: 'deleted_by_client', metadata: {} })).toBe('the token was deleted');
  const metadata = { before: { size: 100, max_per_user: null }, after: { size: 120, max_per_user: 3 } };
  expect(reasonInWords({ event: 'policy_changed', reason: null, metadata })).toBe(
    'size 100 → 120, max_per_user none → 3',
  );
});

test('what happened to a thing is said in words', () => {
  const described = (metadata: object) =>
    reasonInWords({ event: 'described', reason: null, metadata: metadata as Record<string, unknown> });
  const before = { name: 'a', attributes: { os: '14', sim: 'x', is_new: true } };
  const after = { name: 'b', attributes: { os: '15', is_new: true, country: 'de' } };
  expect(described({ before, after, secret: 'changed' })).toBe(
    'renamed from a to b, os 14 → 15, sim x → none, country none → de, its secret',
  );
  expect(described({ before: {}, after: {}, secret: 'changed' })).toBe('its secret');
  const generated = { event: 'generated', reason: null, metadata: { name: 'a', attributes: {} } } as const;
  expect(reasonInWords(generated)).toBe('put into the pool');
});

test.each([
  [1, 0.3, ''],
  [500, 59.9, ''],
  [5, NaN, ''],
  [0, 60, '0 a minute'],
  [1, 900, '0.1 a minute'],
  [15, 90, '10 a minute'],
  [197, 60, '197 a minute'],
  [599, 60, '599 a minute'],
  [600, 60, '10 a second'],
  [1_000_000, 60, '16,667 a second'],
])('%d grants in %d s read are %j', (granted, seconds, words) => {
  expect(rate(granted, seconds)).toBe(words);
});

test.each([
  ['+49 30 901820', 13, '+49 30 901820'],
  ['+49 30 901820', 10, '+49 3…1820'],
  ['😀😀😀😀', 3, '😀…😀'],
  ['abc', 2, 'a…'],
])('%j in at most %d characters is %j', (text, most, short) => {
  expect(shortened(text, most)).toBe(short);
});

test('a line, and what happens between two users, in words', () => {
  const pool: Pool = { ...POOL, on_exhausted: 'reject', max_waiting: 20, max_waiting_per_user: 1, claim_seconds: 10 };
  expect(policyInWords(pool)[2]).toBe(
    'When none is free, 20 may wait in line, each user with one place; what one is offered must be claimed within 10 s.',
  );
  expect(policyInWords({ ...pool, on_exhausted: 'evict_oldest' })[2]).toMatch(
    /^When none is free, the oldest lease is evicted; meanwhile 20 may wait in line/,
  );
  const cleaned: Pool = { ...POOL, after_use: 'clean', clean_within_seconds: 90, max_cleans: 1, cooldown_seconds: 60 };
  expect(policyInWords(cleaned).slice(2)).toEqual([
    'When none is free, the request is refused.',
    'Everybody who knows a token may release it.',
    'A token rests for 1 min after each lease.',
    'After each lease somebody must clean the token within 1 min 30 s; after 1 failed cleaning it is out of service.',
  ]);
  expect(policyInWords({ ...POOL, disable_after_unclean: 3, cooldown_seconds: 5, cooldown_after: 'unclean' })).toEqual(
    expect.arrayContaining([
      'A token rests for 5 s after a lease that its holder did not release.',
      'A token whose leases of 3 users in a row ended uncleanly is out of service.',
    ]),
  );
});

test.each([
  [1, '1st'],
  [2, '2nd'],
  [3, '3rd'],
  [4, '4th'],
  [11, '11th'],
  [12, '12th'],
  [13, '13th'],
  [21, '21st'],
  [102, '102nd'],
  [111, '111th'],
  [1_003, '1,003rd'],
])('the place %i is the %s', (n, words) => expect(ordinal(n)).toBe(words));
