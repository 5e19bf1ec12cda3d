// What a key may be used for.

/**
 * `read`: see; `use`: take a token, and release and keep alive what this key took; `operate`: release and keep alive
 * anything, and clean up, make, delete and audit; `pools`: make and change pools; `keys`: give and take keys; `metrics`.
 */
export const SCOPES = ['read', 'use', 'operate', 'pools', 'keys', 'metrics'] as const;
export type Scope = (typeof SCOPES)[number];
