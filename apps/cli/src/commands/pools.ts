// The commands `pools` and `cleanup`.

import type { Pool } from '../../../../libs/client/src/index.js';
import type { Command } from '../command.js';
import type { Column } from '../output.js';

const POOL_COLUMNS: readonly Column<Pool>[] = [
  { title: 'pool', of: ({ name }) => name },
  { title: 'kind', of: ({ kind, status }) => (status === 'paused' ? `${kind}, paused` : kind) },
  { title: 'size', of: ({ size }) => size },
  { title: 'active', of: ({ counts }) => counts.active },
  { title: 'available', of: ({ counts }) => counts.available },
  { title: 'lease', of: ({ ttl_seconds, renewable }) => `${ttl_seconds} s${renewable ? ', renewable' : ''}` },
  { title: 'when full', of: whenFull },
  { title: 'at most', of: quotas },
  { title: 'events', of: ({ last_seq }) => last_seq },
];

function whenFull({ on_exhausted, evict, protect_seconds }: Pool): string {
  if (on_exhausted === 'reject') return 'reject';
  const after = protect_seconds === null ? '' : ` after ${protect_seconds} s`;
  return `evict ${evict === 'oldest' ? 'oldest' : 'over share'}${after}`;
}

function quotas({ max_per_user, max_per_key }: Pool): string {
  const limits = [
    max_per_user === null ? '' : `${max_per_user} a user`,
    max_per_key === null ? '' : `${max_per_key} a key`,
  ];
  return limits.filter((limit) => limit !== '').join(', ');
}

export const pools: Command = {
  name: 'pools',
  operands: '[NAME]',
  summary: 'the pools, or one of them',
  examples: ['pools', 'pools elastic --json | jq .counts'],
  async run({ client, given, output }) {
    const name = given.optionalOperand('NAME');
    const table = output.table(POOL_COLUMNS);
    await table(name === undefined ? await client.pools() : [await client.pool(name).details()]);
  },
};

export const cleanup: Command = {
  name: 'cleanup',
  summary: 'ends every lease of a pool',
  examples: ['cleanup --pool default'],
  async run({ pool, given, output }) {
    given.noOperand();
    const answer = await pool.cleanup();
    await output.message(
      answer,
      `${answer.released} ${answer.released === 1 ? 'lease' : 'leases'} of ${pool.name} ended`,
    );
  },
};
