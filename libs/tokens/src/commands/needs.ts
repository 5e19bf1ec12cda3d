// Which of a pool's tokens a decision may look at, told before it is made, so that a pool of a million is as quick as one of ten.

import type { AnswerName } from '../pool/answer-book.js';

export interface Needs {
  /** These tokens, whatever their state. */
  readonly tokenIds: readonly string[];
  /** This many of the longest free tokens. */
  readonly free: number;
  /** This many of the leases that are overdue for the longest. */
  readonly due: number;
  /** Where free and overdue tokens are fewer than this, the oldest leases of an evicting pool for the rest. */
  readonly grants: number;
  /** This many of the oldest leases in any case. */
  readonly oldest: number;
  /** Who asks, once for each grant: where the policy counts, what they hold and what they may lose. */
  readonly users: readonly string[];
  /** The API keys they ask with. */
  readonly keys: readonly string[];
  /** The answers kept under these names. */
  readonly answers: readonly AnswerName[];
}

const NOTHING: Needs = { tokenIds: [], free: 0, due: 0, grants: 0, oldest: 0, users: [], keys: [], answers: [] };

export const needs = (some: Partial<Needs>): Needs => ({ ...NOTHING, ...some });

/**
 * What several decisions in a row need together. A decision about a named token may take it from any of
 * the lists, so each name asks for one more entry of each list that is asked for at all.
 */
export function together(all: readonly Needs[]): Needs {
  const [tokenIds, users, keys, answers]: [string[], string[], string[], AnswerName[]] = [[], [], [], []];
  let [free, due, grants, oldest] = [0, DUE_ON_THE_WAY, 0, 0];
  for (const one of all) {
    tokenIds.push(...one.tokenIds);
    users.push(...one.users);
    keys.push(...one.keys);
    answers.push(...one.answers);
    free += one.free;
    due += one.due;
    grants += one.grants;
    oldest += one.oldest;
  }
  const spare = free > 0 ? tokenIds.length : 0;
  return { tokenIds, free: free + spare, due, grants, oldest: oldest + spare, users, keys, answers };
}

/** How many overdue leases a batch writes down beyond what it takes, so that a busy pool needs no sweep. */
const DUE_ON_THE_WAY = 50;
