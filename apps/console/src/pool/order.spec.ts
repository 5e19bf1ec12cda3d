import type { TokenState } from '../live/pool-state.js';
import { natural, sorted, type SortBy } from './order.js';

const token = (id: string, os?: string | number): TokenState => ({
  id,
  name: null,
  attributes: os === undefined ? {} : { os },
  words: '',
  isDraining: false,
  lease: null,
  ...{ isDirty: false, dirtySince: null, restsUntil: 0, disabled: null, lastSeq: 0 },
});

const byOs: SortBy = ({ attributes: { os = null } }) => (typeof os === 'string' ? natural(os) : (os as number | null));
const idsOf = (tokens: readonly TokenState[]): string => tokens.map(({ id }) => id).join('');

test('tokens without a value come last in both directions, and equal ones in the order of their ids', () => {
  const tokens = [token('d'), token('c', 'Item 10'), token('b', 'item 9'), token('e', 3), token('a', 'item 9')];
  expect(idsOf(sorted(tokens, byOs, false, 0))).toBe('eabcd');
  expect(idsOf(sorted(tokens, byOs, true, 0))).toBe('cabed');
});
