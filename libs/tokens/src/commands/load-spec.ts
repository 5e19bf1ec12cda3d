// What a command loads of its pool. The command says so before the transaction begins, so that a pool of a million
// tokens is as quick as one of ten.

import type { IdempotencyRecordName } from '../pool/idempotency-records.js';

export interface LoadSpec {
  /** These tokens, whatever their state. */
  readonly tokenIds: readonly string[];
  /** At most this many of the free tokens, longest free first. */
  readonly free: number;
  /** At most this many of the overdue leases, earliest deadline first. */
  readonly due: number;
  /** If there are fewer free and overdue tokens than this and the pool evicts: the oldest leases for the rest. */
  readonly grants: number;
  /** This many of the oldest leases in any case. */
  readonly oldest: number;
  /** The user of each grant. If the policy counts leases: their counts, and the leases that they may lose. */
  readonly users: readonly string[];
  /** The API keys of the callers. */
  readonly keys: readonly string[];
  /** The idempotency records with these names. */
  readonly idempotencyRecords: readonly IdempotencyRecordName[];
}

const NOTHING: LoadSpec = {
  tokenIds: [],
  free: 0,
  due: 0,
  grants: 0,
  oldest: 0,
  users: [],
  keys: [],
  idempotencyRecords: [],
};

export const loadSpec = (some: Partial<LoadSpec>): LoadSpec => ({ ...NOTHING, ...some });

/**
 * What several commands in a row load together. A command may take the token that it names from any of the lists, so
 * each name adds one entry to each list that is not empty.
 */
export function together(all: readonly LoadSpec[]): LoadSpec {
  const [tokenIds, users, keys]: [string[], string[], string[]] = [[], [], []];
  const idempotencyRecords: IdempotencyRecordName[] = [];
  let [free, due, grants, oldest] = [0, DUE_ON_THE_WAY, 0, 0];
  for (const one of all) {
    tokenIds.push(...one.tokenIds);
    users.push(...one.users);
    keys.push(...one.keys);
    idempotencyRecords.push(...one.idempotencyRecords);
    free += one.free;
    due += one.due;
    grants += one.grants;
    oldest += one.oldest;
  }
  const spare = free > 0 ? tokenIds.length : 0;
  return { tokenIds, free: free + spare, due, grants, oldest: oldest + spare, users, keys, idempotencyRecords };
}

/** How many overdue leases a batch expires beyond those that it takes, so that a busy pool needs no sweep. */
const DUE_ON_THE_WAY = 50;
