// Mutants with one mistake each about access and fairness; their tokens are right.

import type { Mutant } from './mutant.js';

const ALLOCATION = 'libs/tokens/src/pool/allocation.js';

export const ACCESS_MUTANTS: readonly Mutant[] = [
  {
    name: 'actor-of-the-batch',
    mistake: 'all that is done in one transaction is done by who asked first',
    patches: [
      {
        file: 'libs/tokens/src/commands/batch.js',
        from: 'pool.caller = command.caller;',
        to: 'pool.caller = inOrder[0].command.caller;',
      },
    ],
    auth: 'keys',
    nemeses: [],
    caughtBy: /^actor: .*which asked for something else/,
  },
  {
    name: 'key-lost-with-a-new-token',
    mistake: 'a token that is made and granted in one transaction is stored without the key of its lease',
    patches: [
      {
        file: 'libs/postgres/src/commands/statements.js',
        from: 'SELECT $1, id, status, user_id, lease_id, key_id, fence,',
        to: 'SELECT $1, id, status, user_id, lease_id, NULL, fence,',
      },
    ],
    auth: 'keys',
    nemeses: [],
    caughtBy: /^actor: .*is about a lease of null, which \w+ has taken/,
  },
  {
    name: 'leases-of-all',
    mistake: 'everybody who knows a lease may end and renew it, with any key',
    patches: [
      {
        file: 'libs/tokens/src/pool/lease-claim.js',
        from: 'caller.mayOperate || keyId === caller.keyId',
        to: 'true',
      },
    ],
    auth: 'keys',
    nemeses: [],
    caughtBy: /^access: .*(it is about a lease of another key|which may not do that)/,
  },
  {
    name: 'holders-shown-to-all',
    mistake: 'who holds a token is shown to every key',
    patches: [
      {
        file: 'libs/tokens/src/reading/visibility.js',
        from: 'viewer.mayOperate || (keyId ?? null) === viewer.keyId',
        to: 'true',
      },
    ],
    auth: 'keys',
    nemeses: [],
    caughtBy: /^access: .*feed \S+ showed/,
  },
  {
    name: 'key-remembered-for-a-minute',
    mistake: 'a process that has found a key good does not look again for a minute',
    patches: [{ file: 'libs/keys/src/key-ring.js', from: 'HOLDS_MS = 2500', to: 'HOLDS_MS = 60_000' }],
    auth: 'keys',
    seconds: 12,
    nemeses: [],
    caughtBy: /^access: .*s after its key was revoked/,
  },
  {
    name: 'quota-of-before',
    mistake: 'a quota counts what was held before the transaction, not what was granted in it',
    patches: [
      {
        file: 'libs/tokens/src/pool/lease-counts.js',
        from: 'granted(lease) {',
        to: 'granted(lease) {\n        return;',
      },
    ],
    nemeses: [],
    caughtBy: /^fair: .*is one too many/,
  },
  {
    name: 'quota-less-one',
    mistake: 'a user is refused the last lease that the quota allows',
    patches: [
      {
        file: 'libs/tokens/src/pool/quota.js',
        from: 'if (leases + more > most)',
        to: 'if (leases + more >= most)',
      },
    ],
    auth: 'keys',
    nemeses: [],
    caughtBy: /^refused: .*\(quota_exceeded\).*that was not so/,
  },
  {
    name: 'no-protection',
    mistake: 'the lease whose turn it is is evicted, however young it is',
    patches: [{ file: ALLOCATION, from: 'if (mayBeEvictedAt > now)', to: 'if (false)' }],
    nemeses: [],
    caughtBy: /^fair: .*which is protected for/,
  },
  {
    name: 'protection-of-a-second-more',
    mistake: 'a lease is protected for a second longer than it should be',
    patches: [{ file: ALLOCATION, from: 'if (mayBeEvictedAt > now)', to: 'if (mayBeEvictedAt + 1_000_000 > now)' }],
    nemeses: [],
    caughtBy: /^refused: .*\(pool_exhausted\).*that was not so/,
  },
  {
    name: 'oldest-in-place-of-the-greediest',
    mistake: 'where the user who holds the most should lose first, the oldest lease does',
    patches: [
      {
        file: 'libs/tokens/src/pool/eviction.js',
        from: 'fairShares.first(), ',
        to: 'candidates.oldestLease(), ',
      },
    ],
    nemeses: [],
    caughtBy: /^audit: .*evicts (a lease of a user who has|fence \d+ while \d+ is the smallest of who)/,
  },
];
