import type { GivenThing } from '../api.js';
import { differenceOf } from './difference.js';

const token = (name: string, attributes: Readonly<Record<string, string | number>> = {}) => ({
  id: `id of ${name}`,
  name,
  attributes,
  lease: null,
});

test('things are new, changed or unchanged, and tokens may be left out', () => {
  const tokens = [token('a', { os: '14' }), token('b', { os: '14', sim: 'x' }), token('c'), token('d', { os: '9' })];
  const things: GivenThing[] = [
    { name: 'new', attributes: { os: '15' } },
    { name: 'a', attributes: { os: '14' }, secret: { pin: '1' } },
    { name: 'b', attributes: { os: 14, country: 'de' } },
    { name: 'd' },
  ];
  expect(differenceOf(things, tokens)).toEqual({
    added: [things[0]],
    changed: [{ thing: things[2], words: 'os 14 → 14, sim x → none, country none → de' }],
    unchanged: [things[1], things[3]],
    left: [tokens[2]],
  });
});

test('an empty list leaves everything out', () => {
  expect(differenceOf([], [token('a')])).toMatchObject({
    added: [],
    changed: [],
    unchanged: [],
    left: [{ name: 'a' }],
  });
});
