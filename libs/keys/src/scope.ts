// The scopes of keys.

/**
 * - `read`: read pools, tokens and events.
 * - `use`: allocate tokens, and release and renew the leases of this key.
 * - `operate`: release and renew any lease; clean up a pool; generate, delete and audit tokens.
 * - `pools`: create and change pools.
 * - `keys`: issue, rotate and revoke keys.
 * - `metrics`: read the metrics.
 */
export const SCOPES = ['read', 'use', 'operate', 'pools', 'keys', 'metrics'] as const;
export type Scope = (typeof SCOPES)[number];
