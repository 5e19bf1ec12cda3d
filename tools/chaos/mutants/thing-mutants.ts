// Mistakes with the things of a listed pool.

import type { Mutant } from './mutant.js';

export const THING_MUTANTS: readonly Mutant[] = [
  {
    name: 'evict-outside-selection',
    mistake: 'a full pool evicts the oldest lease of all for a caller who selects',
    patches: [
      {
        file: 'libs/tokens/src/pool/eviction.js',
        from: 'oldestLease((token) => mayBeEvicted(token) && isSelected(token)), ',
        to: 'oldestLease(mayBeEvicted), ',
      },
    ],
    nemeses: [],
    caughtBy: /^(audit: .*evicts a token that is not selected|answered: .*was selected)/,
  },
  {
    name: 'held-name',
    isInTests: true,
    mistake: 'a token that is asked for by name is granted although it is held',
    patches: [
      {
        file: 'libs/tokens/src/pool/allocation.js',
        from: 'throw refusals.tokenInUse',
        to: 'return token || refusals.tokenInUse',
      },
    ],
    sql: ['ALTER TABLE pools DROP CONSTRAINT pools_counts'],
    nemeses: [],
    caughtBy: /^(audit: .*hands out a token that is held|answered: .*which is held)/,
  },
  {
    name: 'secret-in-event',
    isInTests: true,
    mistake: 'the event of a new token contains its secret, though encrypted',
    patches: [
      {
        file: 'libs/tokens/src/pool/unit-of-work.js',
        from: '{ name: thing.name, attributes: thing.attributes }',
        to: "{ name: thing.name, attributes: thing.attributes, secret: thing.secret?.bytes.toString('hex') }",
      },
    ],
    nemeses: [],
    caughtBy: /^audit: .*contains a secret/,
  },
  {
    name: 'forgotten-policy-change',
    mistake: 'a change of the policy is not recorded',
    patches: [
      {
        file: 'libs/tokens/src/pool/token-pool.js',
        from: "this.#work.record('policy_changed', null, { metadata: difference });",
        to: '',
      },
    ],
    nemeses: [],
    caughtBy: /^answered: .*the change of the policy \S+ is not in the audit/,
  },
];
