// Whether the reader's key may operate a pool, so that no button is there that would be refused.

import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { api, ApiError } from './api.js';
import { givenKey } from './key.js';

/** By key and pool. */
const known = signal<ReadonlyMap<string, boolean>>(new Map());

/**
 * @param pool null for a pool of which nobody asks
 * @returns false until it is known
 */
export function useMayOperate(pool: string | null): boolean {
  const key = givenKey.value;
  const place = `${key} ${pool}`;
  useEffect(() => {
    if (pool === null || key === null || known.peek().has(place)) return;
    void mayOperate(pool).then((may) => (known.value = new Map(known.peek()).set(place, may)));
  }, [place]);
  // Without a key the service is open to everybody.
  return pool !== null && (key === null || known.value.get(place) === true);
}

/** No route tells the scopes of a key. An import of nothing needs the scope and changes nothing. */
async function mayOperate(pool: string): Promise<boolean> {
  try {
    await api.importThings(pool, [], 'keep');
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return error.code !== 'insufficient_scope';
  }
}
