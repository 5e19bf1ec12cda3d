// Mutants: services with one mistake each, made by exact replacements in a compiled copy. The silence of a checker that
// does not catch them proves nothing. When the code changes, a replacement fails with an error and needs an update.

import { ACCESS_MUTANTS } from './access-mutants.js';
import { LINE_MUTANTS } from './line-mutants.js';
import type { Mutant } from './mutant.js';
import { THING_MUTANTS } from './thing-mutants.js';
import { UPKEEP_MUTANTS } from './upkeep-mutants.js';
import type { Patch } from '../../harness/built-service.js';

const STATEMENTS = 'libs/postgres/src/commands/statements.js';
const REPOSITORY = 'libs/postgres/src/commands/postgres-token-pool-repository.js';
const SESSION = 'libs/postgres/src/connection/session.js';
const SWEEP = 'libs/tokens/src/commands/sweep.js';
const POOL = 'libs/tokens/src/pool/token-pool.js';

const UNLOCKED: Patch = {
  file: STATEMENTS,
  from: "named('lock_pool', `SELECT FROM pools WHERE name = $1 FOR NO KEY UPDATE`)",
  to: "named('lock_pool', `SELECT FROM pools WHERE name = $1`)",
};

const NO_KEYS = [
  'ALTER TABLE token_events_beginning DROP CONSTRAINT "PK_token_events"',
  'CREATE INDEX ON token_events (pool, seq)',
  'DROP INDEX token_events_one_end_per_lease, tokens_oldest',
  'CREATE INDEX ON tokens (pool, fence)',
  'ALTER TABLE pools DROP CONSTRAINT pools_counts',
];

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'no-pool-lock',
    isInTests: true,
    mistake: 'the pool’s row is read without a lock; the keys of the tables are all that is left',
    patches: [UNLOCKED],
    nemeses: [],
    caughtBy: /^contract: \w+ \S+ was answered 500 internal_error/,
  },
  {
    name: 'no-pool-lock-no-keys',
    mistake: 'the same, and the tables have no unique keys either',
    patches: [UNLOCKED],
    sql: NO_KEYS,
    nemeses: [],
    caughtBy: /^audit: .*(seq follows|hands out a token that is held|fence \d+ follows)/,
  },
  {
    name: 'transaction-start-for-clock',
    seconds: 12,
    mistake: 'now(), the start of the transaction, for the instant under the lock',
    patches: [
      {
        file: STATEMENTS,
        from: "here AS MATERIALIZED (${poolsNow('WHERE name = $1', hasLine ? `$${next + 1}::bigint` : undefined)}",
        to: "here AS MATERIALIZED (SELECT *, now() AS now, ${hasLine ? `$${next + 1}::bigint IS NULL AND` : ''} false AS must_note_clock FROM pools WHERE name = $1",
      },
    ],
    nemeses: [],
    caughtBy: /^audit: .*was recorded before its predecessor/,
  },
  {
    name: 'skip-locked-choice',
    isInTests: true,
    mistake: 'tokens are chosen with FOR UPDATE SKIP LOCKED before the pool is locked, counters are read after',
    patches: [
      { file: STATEMENTS, from: 'LIMIT $3::int\n', to: 'LIMIT $3::int FOR UPDATE SKIP LOCKED\n' },
      { file: STATEMENTS, from: 'LIMIT $4::int\n', to: 'LIMIT $4::int FOR UPDATE SKIP LOCKED\n' },
      {
        file: STATEMENTS,
        from: '- ${freeNow(hasUpkeep)} - ${freed(hasUpkeep)}) ELSE 0 END\n',
        to: '- ${freeNow(hasUpkeep)} - ${freed(hasUpkeep)}) ELSE 0 END FOR UPDATE SKIP LOCKED\n',
      },
      {
        file: REPOSITORY,
        from: '= await send(client, BEGIN, { values: [poolName], ...lock }, load',
        to: '= await chooseThenLock(client, { values: [poolName], ...lock }, load',
      },
      {
        file: REPOSITORY,
        from: "const NO_ROW = Symbol('no row was locked');",
        to: `const NO_ROW = Symbol('no row was locked');
const COUNTERS = { name: 'counters', text: \`SELECT last_seq, last_fence, token_count, lease_count,
  date_part('epoch', greatest(clock_timestamp(), last_at)) AS now FROM pools WHERE name = $1\` };
async function chooseThenLock(client, lock, load, ...rest) {
  if (lock.name !== 'lock_pool') return send(client, BEGIN, lock, load, ...rest);
  const [begun, loaded] = await send(client, BEGIN, load);
  const counters = { ...COUNTERS, values: [load.values[0]] };
  const [locked, counted, ...others] = await send(client, lock, counters, ...rest);
  Object.assign(loaded.rows[0] ?? {}, counted.rows[0]);
  return [begun, locked, loaded, ...others];
}`,
      },
    ],
    nemeses: [],
    caughtBy: /^(audit: .*(evicts|is not about the open lease|hands out)|refused: .*nothing was full)/,
  },
  {
    name: 'event-after-commit',
    mistake: 'the transaction commits without its events, which are written a moment later',
    patches: [
      {
        file: REPOSITORY,
        from: 'statements.push({ ...SAVE_SLICE, values: save.values });',
        to: `const ofEvents = (place) => (place >= 10 && place <= 20) || (place >= 27 && place <= 31);
            const nothing = save.values.map((value, place) => (ofEvents(place) ? '{}' : value));
            statements.push({ ...SAVE_SLICE, values: nothing });
            later = [save.values[0], save.values[21], ...save.values.slice(10, 21), save.values[25]];`,
      },
      { file: REPOSITORY, from: "let lastEventId = '';", to: "let lastEventId = '', later = null;" },
      {
        file: REPOSITORY,
        from: 'await send(client, ...statements, COMMIT);',
        to: `await send(client, ...statements, COMMIT);
            if (later) {
                await new Promise((resolve) => setTimeout(resolve, 20));
                await send(client, { ...RECORD, values: later });
            }`,
      },
      {
        file: REPOSITORY,
        from: "const NO_ROW = Symbol('no row was locked');",
        to: `const NO_ROW = Symbol('no row was locked');
const at = (micros) => \`timestamptz 'epoch' + \${micros} * interval '1 microsecond'\`;
const RECORD = { name: 'record', text: \`
  INSERT INTO token_events (pool, seq, id, token_id, event, reason, occurred_at, recorded_at, user_id, fence, lease_id,
    activated_at, expires_at, metadata)
  SELECT $1, $2::bigint - cardinality($3::uuid[]) + place, id, token_id, event, reason, \${at('occurred')},
    \${at('$14::bigint')}, user_id, fence, lease_id, \${at('activated')}, \${at('expires')}, metadata
  FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::bigint[], $8::uuid[], $9::bigint[], $10::uuid[],
    $11::bigint[], $12::bigint[], $13::jsonb[]) WITH ORDINALITY
    AS e (id, token_id, event, reason, occurred, user_id, fence, lease_id, activated, expires, metadata, place)\` };`,
      },
    ],
    nemeses: ['kill-api'],
    caughtBy: /^(audit: .*seq follows|read: .*feed \S+ has a gap)/,
  },
  {
    name: 'asynchronous-commit',
    isInTests: true,
    mistake: 'synchronous_commit=off: COMMIT is answered before it is on disk',
    patches: [{ file: SESSION, from: "jit: 'off',", to: "jit: 'off', synchronous_commit: 'off'," }],
    nemeses: ['kill-database'],
    caughtBy: /^answered: .*is not in the audit/,
  },
  {
    name: 'sweep-by-id',
    mistake: 'the sweep looks up tokens that come due, and a moment later ends whatever lease each of them has by then',
    patches: [
      { file: SWEEP, from: 'of await repository.poolsToSweep()', to: "of ['rejecting', 'elastic']" },
      {
        file: SWEEP,
        from: 'written = await executor.tryRun(poolName, ',
        to: `const due = await repository.change(poolName, loadSpec({ oldest: BATCH, due: BATCH }), (pool) => pool.dueSoon());
                await new Promise((resolve) => setTimeout(resolve, 80));
                if (due.length > 0)
                    await repository.change(poolName, loadSpec({ tokenIds: due }), (pool) => pool.endBlindly(due));
                written = await executor.tryRun(poolName, `,
      },
      {
        file: POOL,
        from: '    settle() {',
        to: `    dueSoon() {
        const soon = this.now + 30_000;
        return this.#work.tokens.all().flatMap(({ id, lease }) => (lease && lease.expiresAt <= soon ? [id] : []));
    }
    endBlindly(ids) {
        for (const id of ids) {
            const token = this.#work.tokens.get(id);
            if (token?.lease) this.#work.endLease(token, 'expired', 'ttl_expired', Math.min(this.now, token.lease.expiresAt));
        }
    }
    settle() {`,
      },
    ],
    env: { SWEEP_INTERVAL_MS: '20' },
    nemeses: [],
    caughtBy: /^audit: .*did not expire at its deadline/,
  },
  {
    name: 'blind-retry',
    mistake: 'a COMMIT that was not answered is repeated without asking whether it happened',
    patches: [{ file: REPOSITORY, from: 'if (await this.#wasCommitted(poolName, error))', to: 'if (false)' }],
    nemeses: ['lose-commit-answer'],
    caughtBy: /^answered: .*was granted 2 leases/,
  },
  {
    name: 'clock-of-the-process',
    mistake: 'the API’s own clock decides',
    patches: [
      {
        file: 'libs/postgres/src/commands/slice-rows.js',
        from: 'now: micros(row.now),',
        to: 'now: Math.round(Date.now() * 1000),',
      },
    ],
    nemeses: ['clock'],
    caughtBy: /^(time: .*was recorded|audit: .*was recorded before its predecessor)/,
  },
  ...ACCESS_MUTANTS,
  ...THING_MUTANTS,
  ...LINE_MUTANTS,
  ...UPKEEP_MUTANTS,
];
