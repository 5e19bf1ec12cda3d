// A service with one mistake.

import type { Auth } from '../history.js';
import type { RunOptions } from '../run.js';
import type { Patch } from '../../harness/built-service.js';

export interface Mutant {
  readonly name: string;
  /** The mistake in words. */
  readonly mistake: string;
  readonly patches: readonly Patch[];
  /** Removes constraints of the tables, so that only the audit can show the mistake. */
  readonly sql?: readonly string[];
  /** Without it, requests have no keys. */
  readonly auth?: Auth;
  /** Makes the mistake happen more often. */
  readonly env?: Readonly<Record<string, string>>;
  /** Another load than usual: the unchanged service must pass it, too. */
  readonly load?: Pick<RunOptions, 'waiters' | 'slowWaiters'>;
  /** The least seconds in which the mistake shows. */
  readonly seconds?: number;
  /** Whether each test run includes it. For the others the tests have one of their kind, or a falsified history. */
  readonly isInTests?: boolean;
  /** The faults under which the mistake shows. */
  readonly nemeses: readonly string[];
  /** Matches at least one finding, written as "rule: what". */
  readonly caughtBy: RegExp;
}
