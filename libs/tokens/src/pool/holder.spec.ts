import { holderOf } from './holder.js';

test('a name is kept as it is given, in one form for all ways to write its letters', () => {
  for (const name of ['ci-4711', 'desk-7@example.org', ' with blanks ', 'Zoë', '🦊'.repeat(200)]) {
    expect(holderOf(name)).toBe(name);
  }
  expect(holderOf('Zoe\u0308')).toBe('Zoë');
  expect(holderOf('e\u0301'.repeat(200))).toBe('é'.repeat(200));
});

test.each([
  ['nothing', ''],
  ['201 characters', 'x'.repeat(201)],
  ['201 characters outside of the first plane', '🦊'.repeat(201)],
  ['a line break', 'one\ntwo'],
  ['U+0000', 'a\0'],
  ['a control character of C1', 'a\u0085'],
  ['half of a surrogate pair', 'a\ud800'],
])('%s is no name', (_, text) => {
  expect(holderOf(text)).toBeNull();
});
