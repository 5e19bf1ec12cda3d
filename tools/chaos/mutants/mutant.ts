// A service with one mistake.

import type { Auth } from '../history.js';
import type { Patch } from '../../harness/built-service.js';

export interface Mutant {
  readonly name: string;
  /** What it does wrong. */
  readonly mistake: string;
  readonly patches: readonly Patch[];
  /** Takes away the tables' own defence, so that the audit itself has to show the mistake. */
  readonly sql?: readonly string[];
  /** Left out: nobody shows a key. */
  readonly auth?: Auth;
  /** Makes the mistake happen more often. */
  readonly env?: Readonly<Record<string, string>>;
  /** The least that it takes to show. */
  readonly seconds?: number;
  /** Every test run makes it. Of the others, one of their kind is made, or a good history is falsified for their rule. */
  readonly isInTests?: boolean;
  /** Faults that it needs in order to show. */
  readonly nemeses: readonly string[];
  /** One finding at least, written as "rule: what", must match. */
  readonly caughtBy: RegExp;
}
