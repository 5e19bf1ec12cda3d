// Mistakes with what happens between two users.

import type { Mutant } from './mutant.js';

const AFTER_LEASE = 'libs/tokens/src/pool/after-lease.js';

export const UPKEEP_MUTANTS: readonly Mutant[] = [
  {
    name: 'dirty-granted',
    isInTests: true,
    mistake: 'a token is said to be dirty, and stays free',
    patches: [
      {
        file: AFTER_LEASE,
        from: '{ dirtySince: at, restsUntil: rested > at ? rested : null, failedCleanings: 0 }',
        to: '{ dirtySince: null, restsUntil: null, failedCleanings: 0 }',
      },
    ],
    nemeses: [],
    caughtBy: /^upkeep: .*is granted while it is dirty/,
  },
  {
    name: 'rest-cut-short',
    mistake: 'a token that is clean has rested',
    patches: [
      { file: AFTER_LEASE, from: 'work.free(token, Math.max(at, rested ?? at));', to: 'work.free(token, at);' },
    ],
    nemeses: [],
    caughtBy: /^upkeep: .*before it has rested/,
  },
  {
    name: 'broken-granted',
    mistake: 'a token is said to be out of service, and is granted as before',
    patches: [
      {
        file: AFTER_LEASE,
        from: 'work.keepUp(token, { disabled: { reason, at, by: actorOf(by) } });',
        to: '',
      },
    ],
    nemeses: [],
    caughtBy: /^upkeep: .*is granted while it is out of service/,
  },
  {
    name: 'cleaned-for-ever',
    seconds: 10,
    mistake: 'cleanings that failed are not counted',
    patches: [
      {
        file: AFTER_LEASE,
        from: '{ failedCleanings: failedCleanings + 1 }',
        to: '{ failedCleanings }',
      },
    ],
    nemeses: [],
    caughtBy: /^upkeep: .*is not disabled/,
  },
];
