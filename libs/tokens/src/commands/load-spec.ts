// What a command loads of its pool. The command says so before the transaction begins, so that a pool of a million
// tokens is as quick as one of ten.

import type { IdempotencyRecordName } from '../pool/idempotency-records.js';
import { selectorKey, type Selector } from '../pool/thing.js';

export interface LoadSpec {
  /** These tokens, whatever their state. */
  readonly tokenIds: readonly string[];
  /** In a listed pool: the tokens with these names. */
  readonly names: readonly string[];
  /**
   * In a listed pool: for each selector enough of the free tokens that it selects, longest free first. If there are
   * fewer: also of the other leases on such tokens those with the earliest deadlines, and the oldest if the pool
   * evicts. And of the overdue leases on such tokens those with the earliest deadlines.
   */
  readonly selectors: readonly Selector[];
  /** How many of the grants are for selectors. */
  readonly selecting: number;
  /** In a listed pool: all tokens. */
  readonly whole: boolean;
  /** At most this many of the free tokens, longest free first. */
  readonly free: number;
  /** At most this many of the overdue leases, earliest deadline first. */
  readonly due: number;
  /** If there are fewer free and overdue tokens than this and the pool evicts: the oldest leases for the rest. */
  readonly grants: number;
  /** This many of the oldest leases in any case. */
  readonly oldest: number;
  /** Whether the commands change what happens between two users: a pool that has not used that loads it, too, then. */
  readonly upkeep: boolean;
  /** At most this many of the dirty tokens that nobody holds, dirty for the longest first. */
  readonly dirty: number;
  /** In a listed pool: as many of those that each of these selectors selects. */
  readonly dirtySelectors: readonly Selector[];
  /** At most this many of the tokens that are dirty or disabled. */
  readonly keptBack: number;
  /** The user of each grant. If the policy counts leases: their counts, and the leases that they may lose. */
  readonly users: readonly string[];
  /** The API keys of the callers. */
  readonly keys: readonly string[];
  /** The idempotency records with these names. */
  readonly idempotencyRecords: readonly IdempotencyRecordName[];
  /** These tickets, whatever their state, with the tokens of their offers. */
  readonly tickets: readonly string[];
  /** In a pool with a line: all that its promises depend on. */
  readonly promises: boolean;
  /** How many tokens the commands may wait for. */
  readonly awaits: number;
  /** How many tokens the commands may take away from those who wait. */
  readonly takesAway: number;
  /** How many tokens the line may take; withLine sets it. */
  readonly serves: number;
  /** The held tokens that come free first at their hard ends: at most this many. withLine sets it. */
  readonly soonest: number;
}

const NOTHING: LoadSpec = {
  tokenIds: [],
  names: [],
  selectors: [],
  selecting: 0,
  whole: false,
  free: 0,
  due: 0,
  grants: 0,
  oldest: 0,
  upkeep: false,
  dirty: 0,
  dirtySelectors: [],
  keptBack: 0,
  users: [],
  keys: [],
  idempotencyRecords: [],
  tickets: [],
  promises: false,
  awaits: 0,
  takesAway: 0,
  serves: 0,
  soonest: 0,
};

export const loadSpec = (some: Partial<LoadSpec>): LoadSpec => ({ ...NOTHING, ...some });

/**
 * What several commands in a row load together. A command may take the token that it names from any of the lists, so
 * each name adds one entry to the lists from which a grant takes its token.
 */
export function together(all: readonly LoadSpec[]): LoadSpec {
  const [tokenIds, names]: [string[], string[]] = [[], []];
  const [users, keys]: [string[], string[]] = [[], []];
  const selectors = new Map<string, Selector>();
  const idempotencyRecords: IdempotencyRecordName[] = [];
  const tickets: string[] = [];
  const dirtySelectors = new Map<string, Selector>();
  let [free, due, grants, oldest, selecting, awaits, takesAway] = [0, DUE_ON_THE_WAY, 0, 0, 0, 0, 0];
  let [dirty, keptBack] = [0, 0];
  for (const one of all) {
    tokenIds.push(...one.tokenIds);
    names.push(...one.names);
    users.push(...one.users);
    keys.push(...one.keys);
    idempotencyRecords.push(...one.idempotencyRecords);
    for (const selector of one.selectors) selectors.set(selectorKey(selector), selector);
    free += one.free;
    due += one.due;
    grants += one.grants;
    oldest += one.oldest;
    selecting += one.selecting;
    awaits += one.awaits;
    takesAway += one.takesAway;
    dirty += one.dirty;
    keptBack += one.keptBack;
    for (const selector of one.dirtySelectors) dirtySelectors.set(selectorKey(selector), selector);
    tickets.push(...one.tickets);
  }
  const spare = free > 0 ? tokenIds.length + names.length : 0;
  return {
    tokenIds,
    names,
    selectors: [...selectors.values()],
    selecting,
    whole: all.some(({ whole }) => whole),
    free: free + spare,
    due,
    grants: grants > 0 ? grants + spare : 0,
    oldest,
    upkeep: all.some(({ upkeep }) => upkeep),
    dirty,
    dirtySelectors: [...dirtySelectors.values()],
    keptBack,
    users,
    keys,
    idempotencyRecords,
    tickets,
    promises: all.some(({ promises }) => promises),
    awaits,
    takesAway,
    serves: 0,
    soonest: 0,
  };
}

/**
 * How many tokens to load for each selector: each grant, each command that names a token, and the line may take one of
 * them.
 */
export const tokensOfSelection = ({ grants, tokenIds, names, serves }: LoadSpec): number =>
  grants + tokenIds.length + names.length + serves;

/** How many overdue leases a batch expires beyond those that it takes, so that a busy pool needs no sweep. */
const DUE_ON_THE_WAY = 50;
