// What a key may do, and whether that is no more than what another one may.

import type { Scope } from './scope.js';

export interface Rights {
  readonly scopes: readonly Scope[];
  /** Null: all pools, also those to come. */
  readonly pools: readonly string[] | null;
  /** RFC 3339 in UTC; null: never. */
  readonly expires_at: string | null;
}

/** A key that was shown and is good. */
export interface LiveKey extends Omit<Rights, 'pools'> {
  readonly id: string;
  /** Null: all pools, also those to come. */
  readonly pools: ReadonlySet<string> | null;
}

/** How much somebody who gives keys, or looks at them, may do himself. */
export type Bounds = Omit<LiveKey, 'id'>;

export const mayUse = ({ pools }: Pick<LiveKey, 'pools'>, poolName: string): boolean =>
  pools === null || pools.has(poolName);

/** What of `asked` goes beyond what the issuer has, in words; null when nothing does. */
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
