// The rights of a key, and their comparison with those of another key.

import type { Scope } from './scope.js';

export interface Rights {
  readonly scopes: readonly Scope[];
  /** Null: all pools, also future ones. */
  readonly pools: readonly string[] | null;
  /** RFC 3339 in UTC; null: never. */
  readonly expires_at: string | null;
}

/** A valid key that a request has sent. */
export interface LiveKey extends Omit<Rights, 'pools'> {
  readonly id: string;
  /** Null: all pools, also future ones. */
  readonly pools: ReadonlySet<string> | null;
}

/** The rights of a key that issues or lists others, which bound the rights of those. */
export type Bounds = Omit<LiveKey, 'id'>;

export const mayUse = ({ pools }: Pick<LiveKey, 'pools'>, poolName: string): boolean =>
  pools === null || pools.has(poolName);

/** The first right in `asked` that the issuer lacks, in words; null if it has all of them. */
export function excess(asked: Rights, issuer: Bounds): string | null {
  const scope = asked.scopes.find((one) => !issuer.scopes.includes(one));
  if (scope !== undefined) return `the scope ${scope}`;
  if (asked.pools === null && issuer.pools !== null) return 'all pools';
  const pool = asked.pools?.find((one) => !mayUse(issuer, one));
  if (pool !== undefined) return `the pool ${pool}`;
  return isLater(asked.expires_at, issuer.expires_at) ? 'a longer life' : null;
}

const isLater = (one: string | null, other: string | null): boolean =>
  other !== null && (one === null || Date.parse(one) > Date.parse(other));
