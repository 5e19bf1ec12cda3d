import { isUuid, uuidOfName } from './uuid.js';

test('a name gives its UUID of version 5', () => {
  // The result of Python's uuid.uuid5.
  const dns = '6ba7b810-9dad-11d1-80b4-00c04fd430c8';
  expect(uuidOfName(dns, 'www.example.com')).toBe('2ed6657d-e927-568b-95e1-2665a8aea6a2');
});

test('isUuid accepts either case and any version, and nothing around the UUID', () => {
  expect(isUuid('00000000-0000-0000-0000-000000000000')).toBe(true);
  expect(isUuid('FFFFFFFF-ffff-ffff-ffff-FFFFFFFFFFFF')).toBe(true);
  for (const other of [
    '',
    'x',
    '00000000-0000-0000-0000-000000000000\n',
    '00000000000000000000000000000000',
    7,
    null,
  ]) {
    expect(isUuid(other)).toBe(false);
  }
});
