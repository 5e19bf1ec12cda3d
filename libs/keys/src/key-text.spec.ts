import { containsKey, hashOf, KEY_ID, keyText, newKeyId, newSecret, readKey, withoutKeys } from './key-text.js';

const PARTS = { id: 'A1b2C3d4E5f6', secret: 'x'.repeat(43) };
const KEY = keyText(PARTS);

test('a key is read as what it was made of', () => {
  expect(KEY).toMatch(/^tp_A1b2C3d4E5f6_x{43}_[0-9A-Za-z]{6}$/);
  expect(readKey(KEY)).toEqual(PARTS);
});

test('the checksum never changes: keys that were given away must stay readable', () => {
  expect(readKey('tp_000000000000_0000000000000000000000000000000000000000000_00VKpb')).toEqual({
    id: '0'.repeat(12),
    secret: '0'.repeat(43),
  });
});

test('every typo of one character is seen without asking anybody', () => {
  for (let place = 0; place < KEY.length; place++) {
    const other = KEY[place] === 'x' ? 'y' : 'x';
    expect(readKey(KEY.slice(0, place) + other + KEY.slice(place + 1))).toBeNull();
    expect(readKey(KEY.slice(0, place) + KEY.slice(place + 1))).toBeNull();
  }
});

test.each(['', 'tp_', `${KEY} `, ` ${KEY}`, `${KEY}\n`, KEY.toUpperCase(), KEY.replaceAll('_', '-'), `Bearer ${KEY}`])(
  '%j is no key',
  (text) => expect(readKey(text)).toBeNull(),
);

test('ids and secrets are random, of one length, and made of letters and digits', () => {
  const ids = Array.from({ length: 1000 }, newKeyId);
  const secrets = Array.from({ length: 1000 }, newSecret);
  expect(new Set(ids).size).toBe(1000);
  expect(new Set(secrets).size).toBe(1000);
  for (const id of ids) expect(id).toMatch(KEY_ID);
  for (const secret of secrets) expect(secret).toMatch(/^[0-9A-Za-z]{43}$/);
  // 256 bits: the first of 43 digits is small, the others are anything.
  expect(new Set(secrets.map((secret) => secret[1])).size).toBeGreaterThan(50);
});

test('what is stored of a secret is its SHA-256', () => {
  expect(hashOf('abc').toString('hex')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

test('a key in a text is found and taken out, whole or cut off', () => {
  for (const key of [KEY, KEY.slice(0, 30), `${KEY}_more`]) {
    expect(containsKey(`/api/tokens/${key}?a=1`)).toBe(true);
    expect(withoutKeys(`/api/tokens/${key}?a=1&b=${key}`)).toBe('/api/tokens/tp_(not shown)?a=1&b=tp_(not shown)');
  }
  for (const text of ['', '/http_requests', 'tp_short_x', 'tp_']) {
    expect(containsKey(text)).toBe(false);
    expect(withoutKeys(text)).toBe(text);
  }
});
