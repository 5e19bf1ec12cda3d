import { containsKey, hashOf, KEY_ID, keyText, newKeyId, newSecret, readKey, withoutKeys } from './key-text.js';

const PARTS = { id: 'A1b2C3d4E5f6', secret: 'x'.repeat(43) };
const KEY = keyText(PARTS);

test('readKey returns the parts that keyText has joined', () => {
  expect(KEY).toMatch(/^tp_A1b2C3d4E5f6_x{43}_[0-9A-Za-z]{6}$/);
  expect(readKey(KEY)).toEqual(PARTS);
});

test('the checksum of a key never changes, so that issued keys stay readable', () => {
  expect(readKey('tp_000000000000_0000000000000000000000000000000000000000000_00VKpb')).toEqual({
    id: '0'.repeat(12),
    secret: '0'.repeat(43),
  });
});

test('readKey detects every typo of one character', () => {
  for (let place = 0; place < KEY.length; place++) {
    const other = KEY[place] === 'x' ? 'y' : 'x';
    expect(readKey(KEY.slice(0, place) + other + KEY.slice(place + 1))).toBeNull();
    expect(readKey(KEY.slice(0, place) + KEY.slice(place + 1))).toBeNull();
  }
});

test.each(['', 'tp_', `${KEY} `, ` ${KEY}`, `${KEY}\n`, KEY.toUpperCase(), KEY.replaceAll('_', '-'), `Bearer ${KEY}`])(
  'readKey refuses %j',
  (text) => expect(readKey(text)).toBeNull(),
);

test('ids and secrets are random letters and digits of a fixed length', () => {
  const ids = Array.from({ length: 1000 }, newKeyId);
  const secrets = Array.from({ length: 1000 }, newSecret);
  expect(new Set(ids).size).toBe(1000);
  expect(new Set(secrets).size).toBe(1000);
  for (const id of ids) expect(id).toMatch(KEY_ID);
  for (const secret of secrets) expect(secret).toMatch(/^[0-9A-Za-z]{43}$/);
  // A secret has 256 bits, so the first of its 43 digits is small, and the others take all values.
  expect(new Set(secrets.map((secret) => secret[1])).size).toBeGreaterThan(50);
});

test('hashOf returns the SHA-256 of a secret', () => {
  expect(hashOf('abc').toString('hex')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

test('containsKey finds and withoutKeys removes a key in a text, complete or truncated', () => {
  for (const key of [KEY, KEY.slice(0, 30), `${KEY}_more`]) {
    expect(containsKey(`/api/tokens/${key}?a=1`)).toBe(true);
    expect(withoutKeys(`/api/tokens/${key}?a=1&b=${key}`)).toBe('/api/tokens/tp_(not shown)?a=1&b=tp_(not shown)');
  }
  for (const text of ['', '/http_requests', 'tp_short_x', 'tp_']) {
    expect(containsKey(text)).toBe(false);
    expect(withoutKeys(text)).toBe(text);
  }
});
