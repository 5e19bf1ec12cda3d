// The fields of a pool's policy, one row each. This table and its order define their types, columns, SQL, request and
// response bodies and documents (CONTRIBUTING.md, "A field of the policy").

export type PoolKind = 'fixed' | 'elastic' | 'listed';
export const POOL_KINDS: readonly PoolKind[] = ['fixed', 'elastic', 'listed'];

export const MAX_POOL_SIZE = 1_000_000;
/** One year. */
export const MAX_TTL_SECONDS = 31_536_000;

type ByKind<Value> = Readonly<Record<PoolKind, Value>>;

/** The values that a field may have, and its defaults in a new pool. */
type Values =
  | {
      readonly type: 'whole';
      readonly least: number;
      readonly most: number;
      readonly defaults: ByKind<number | null>;
    }
  /** A duration in seconds, greater than 0. */
  | { readonly type: 'seconds'; readonly most: number; readonly defaults: ByKind<number | null> }
  | { readonly type: 'boolean'; readonly defaults: ByKind<boolean> }
  | { readonly type: 'word'; readonly words: readonly string[]; readonly defaults: ByKind<string> };

type Row = Values & {
  /** The name of the field in requests and responses, and of its column. */
  readonly wire: string;
  readonly nullable?: true;
  /** The field must be null in every other pool. */
  readonly elasticOnly?: true;
  /**
   * The default of the column. During an upgrade the last release writes rows without knowing new columns, so a field
   * added later needs this or is nullable.
   */
  readonly columnDefault?: string | number | boolean;
  /** The description in the OpenAPI document. */
  readonly description: string;
};

const COUNT = { type: 'whole', least: 1, most: MAX_POOL_SIZE } as const;
const DURATION = { type: 'seconds', most: MAX_TTL_SECONDS } as const;
const NO_LIMIT = { nullable: true, defaults: { fixed: null, elastic: null, listed: null } } as const;

const POLICY_FIELDS = {
  size: {
    wire: 'size',
    ...COUNT,
    defaults: { fixed: 100, elastic: 10, listed: 100_000 },
    description:
      'Tokens of a fixed pool; the most that another one may have. If it becomes smaller, free tokens are deleted at ' +
      'once, the longest free first, and held ones at the end of their leases',
  },
  ttlSeconds: {
    wire: 'ttl_seconds',
    ...DURATION,
    defaults: { fixed: 120, elastic: 60, listed: 3600 },
    description: 'Length of a lease, and the most that may be asked for',
  },
  renewable: {
    wire: 'renewable',
    type: 'boolean',
    defaults: { fixed: false, elastic: true, listed: true },
    description: 'Whether a lease can be kept alive',
  },
  maxLifetimeSeconds: {
    wire: 'max_lifetime_seconds',
    ...DURATION,
    ...NO_LIMIT,
    description: 'No lease gets older, however often it is kept alive; null: no limit',
  },
  idleTtlSeconds: {
    wire: 'idle_ttl_seconds',
    ...DURATION,
    nullable: true,
    elasticOnly: true,
    defaults: { fixed: null, elastic: 300, listed: null },
    description: 'After how long a free token of an elastic pool is deleted; null: never',
  },
  onExhausted: {
    wire: 'on_exhausted',
    type: 'word',
    words: ['evict_oldest', 'reject'],
    defaults: { fixed: 'evict_oldest', elastic: 'reject', listed: 'reject' },
    description: 'What happens when no token is free',
  },
  releaseAuthority: {
    wire: 'release_authority',
    type: 'word',
    words: ['anyone', 'holder'],
    defaults: { fixed: 'anyone', elastic: 'anyone', listed: 'holder' },
    description: 'Who may release and renew: everybody who knows the token, or only the holder of the `lease_id`',
  },
  maxPerUser: {
    wire: 'max_per_user',
    ...COUNT,
    ...NO_LIMIT,
    description: 'Open leases that a user may hold; one more is refused with 429 `quota_exceeded`. null: no limit',
  },
  maxPerKey: {
    wire: 'max_per_key',
    ...COUNT,
    ...NO_LIMIT,
    description: 'The same for the leases that were taken with one API key, for all users together. null: no limit',
  },
  protectSeconds: {
    wire: 'protect_seconds',
    ...DURATION,
    ...NO_LIMIT,
    description:
      'A lease younger than this is never evicted: while it is the turn of such a one, a full pool answers 409 ' +
      '`pool_exhausted`. null: any may be evicted. Counts only with `on_exhausted: evict_oldest`',
  },
  evict: {
    wire: 'evict',
    type: 'word',
    words: ['oldest', 'over_share_first'],
    defaults: { fixed: 'oldest', elastic: 'oldest', listed: 'oldest' },
    columnDefault: 'oldest',
    description:
      'Whose lease a full pool evicts: the oldest of all, or the oldest of the user who holds the most. ' +
      'Counts only with `on_exhausted: evict_oldest`',
  },
  maxWaiting: {
    wire: 'max_waiting',
    type: 'whole',
    least: 0,
    most: 100_000,
    defaults: { fixed: 0, elastic: 0, listed: 0 },
    columnDefault: 0,
    description: 'How many may wait in line for a token, in the order in which they came; 0: nobody',
  },
  maxWaitingPerUser: {
    wire: 'max_waiting_per_user',
    type: 'whole',
    least: 1,
    most: 100_000,
    defaults: { fixed: 1, elastic: 1, listed: 1 },
    columnDefault: 1,
    description: 'Places in the line that a user may have; one more is refused with 429 `quota_exceeded`',
  },
  claimSeconds: {
    wire: 'claim_seconds',
    ...DURATION,
    defaults: { fixed: 10, elastic: 10, listed: 10 },
    columnDefault: 10,
    description: 'How long a token that is offered to the first in the line waits to be claimed',
  },
  patienceSeconds: {
    wire: 'patience_seconds',
    ...DURATION,
    defaults: { fixed: 30, elastic: 30, listed: 30 },
    columnDefault: 30,
    description: 'How long a place in the line lives without a sign of life from its owner',
  },
  cooldownSeconds: {
    wire: 'cooldown_seconds',
    ...DURATION,
    ...NO_LIMIT,
    description: 'How long a token rests after a lease before it is granted again; null: not at all',
  },
  cooldownAfter: {
    wire: 'cooldown_after',
    type: 'word',
    words: ['always', 'unclean'],
    defaults: { fixed: 'always', elastic: 'always', listed: 'always' },
    columnDefault: 'always',
    description:
      'After which leases a token rests: after all, or only after those that did not end by their own release. ' +
      'Counts only with `cooldown_seconds`',
  },
  afterUse: {
    wire: 'after_use',
    type: 'word',
    words: ['available', 'clean'],
    defaults: { fixed: 'available', elastic: 'available', listed: 'available' },
    columnDefault: 'available',
    description: 'What a token is after a lease: available, or dirty until somebody has cleaned it',
  },
  cleanWithinSeconds: {
    wire: 'clean_within_seconds',
    ...DURATION,
    ...NO_LIMIT,
    description:
      'Within which time a dirty token is cleaned: the length of the lease of who cleans it, and what promises of the ' +
      'line count; null: that length is `ttl_seconds`, and with `after_use: clean` the line promises nothing',
  },
  maxCleans: {
    wire: 'max_cleans',
    type: 'whole',
    least: 1,
    most: 1000,
    defaults: { fixed: 3, elastic: 3, listed: 3 },
    columnDefault: 3,
    description: 'A token is disabled after so many cleanings in a row that failed',
  },
  disableAfterUnclean: {
    wire: 'disable_after_unclean',
    type: 'whole',
    least: 1,
    most: 1000,
    ...NO_LIMIT,
    description:
      'A token is disabled after so many leases in a row of different users that did not end by their own release; ' +
      'null: never',
  },
  status: {
    wire: 'status',
    type: 'word',
    words: ['open', 'paused'],
    defaults: { fixed: 'open', elastic: 'open', listed: 'open' },
    columnDefault: 'open',
    description:
      'A paused pool grants nothing: 409 `pool_paused`. Everything else goes on: leases are kept alive, released and ' +
      'expire, tokens are generated and deleted',
  },
} as const satisfies Record<string, Row>;

type Fields = typeof POLICY_FIELDS;

type ValueOf<Field> =
  | (Field extends { type: 'whole' | 'seconds' } ? number : never)
  | (Field extends { type: 'boolean' } ? boolean : never)
  | (Field extends { words: readonly (infer Word)[] } ? Word : never)
  | (Field extends { nullable: true } ? null : never);

/** A policy with the names of the domain. */
export type PolicyValues = { readonly [Name in keyof Fields]: ValueOf<Fields[Name]> };

/** A policy with the names of requests, responses and columns. */
export type WirePolicy = { readonly [Name in keyof Fields as Fields[Name]['wire']]: ValueOf<Fields[Name]> };

export type PolicyField = Row & { readonly name: keyof PolicyValues; readonly wire: keyof WirePolicy };

export const policyFields: readonly PolicyField[] = Object.entries(POLICY_FIELDS).map(([name, row]) => ({
  ...row,
  name: name as keyof PolicyValues,
}));

export const defaultPolicy = (kind: PoolKind): PolicyValues => policyOf(({ defaults }) => defaults[kind]);

export const toWire = (policy: PolicyValues): WirePolicy =>
  Object.fromEntries(policyFields.map(({ name, wire }) => [wire, policy[name]])) as WirePolicy;

/** The fields that a change has changed, with the names of the wire, before and after it. */
export type PolicyDifference = { readonly before: Partial<WirePolicy>; readonly after: Partial<WirePolicy> };

/** Null when the policies are equal. */
export function differenceOf(before: PolicyValues, after: PolicyValues): PolicyDifference | null {
  const changed = policyFields.filter(({ name }) => before[name] !== after[name]);
  const changedOf = (policy: PolicyValues): Partial<WirePolicy> =>
    Object.fromEntries(changed.map(({ name, wire }) => [wire, policy[name]]));
  return changed.length === 0 ? null : { before: changedOf(before), after: changedOf(after) };
}

/** Fields that `given` leaves out are undefined in the result. */
export function fromWire(policy: WirePolicy): PolicyValues;
export function fromWire(change: Partial<WirePolicy>): Partial<PolicyValues>;
export function fromWire(given: Partial<WirePolicy>): Partial<PolicyValues> {
  return policyOf(({ wire }) => given[wire]);
}

/** Every transaction does this, so it makes no entries first. */
function policyOf(valueOf: (field: PolicyField) => unknown): PolicyValues {
  const policy: Record<string, unknown> = {};
  for (const field of policyFields) policy[field.name] = valueOf(field);
  return policy as PolicyValues;
}
