// The commands `leases` and `release-all`.

import type { OpenLease, Whose } from '../../../../libs/client/src/index.js';
import type { Arguments } from '../arguments.js';
import type { Command } from '../command.js';
import { listed, pageFor } from '../listed.js';
import type { Options } from '../option.js';
import { time, type Column } from '../output.js';
import { UsageError } from '../usage-error.js';

const LEASE_COLUMNS: readonly Column<OpenLease>[] = [
  { title: 'pool', of: ({ pool }) => pool },
  { title: 'token', of: ({ name, token_id }) => name ?? token_id },
  { title: 'fence', of: ({ fence }) => fence },
  { title: 'user', of: ({ holder, user_id }) => holder ?? user_id },
  { title: 'since', of: ({ activated_at }) => time(activated_at) },
  { title: 'until', of: ({ expires_at }) => time(expires_at) },
];

const WHOSE_OPTIONS: Options = {
  holder: { value: 'NAME', help: 'the name under which the leases are held' },
  user: { value: 'UUID', help: 'the user that holds them; instead of --holder' },
};

export const leases: Command = {
  name: 'leases',
  summary: 'what somebody holds, over all pools',
  options: { ...WHOSE_OPTIONS, limit: { value: 'N', help: 'at most so many; default: all' } },
  examples: ['leases --holder ci-4711', 'leases --user 0078105e-843b-4a32-812c-f5cca618c749 --json'],
  async run({ client, given, output }) {
    given.noOperand();
    const limit = given.whole('limit', 1);
    const held = client.leases({ ...whose(given), limit: pageFor(limit) });
    await listed(held, (page) => page.leases, output.table(LEASE_COLUMNS), limit);
  },
};

export const releaseAll: Command = {
  name: 'release-all',
  summary: 'ends everything that somebody holds; with --pool, in that pool',
  options: { ...WHOSE_OPTIONS, note: { value: 'TEXT', help: 'why, for those who read the events' } },
  notes: 'It takes a key that may operate. $TOKEN_POOL does not count: without --pool it ends the leases of all pools.',
  examples: ['release-all --holder ci-4711 --note "the job was cancelled"'],
  async run({ client, given, output }) {
    given.noOperand();
    const answer = await client.releaseAll({ ...whose(given), pool: given.text('pool'), note: given.text('note') });
    await output.message(answer, `${answer.released} ${answer.released === 1 ? 'lease' : 'leases'} ended`);
  },
};

function whose(given: Arguments): Whose {
  const [holder, user_id] = [given.text('holder'), given.text('user')];
  if (holder !== undefined && user_id === undefined) return { holder };
  if (holder === undefined && user_id !== undefined) return { user_id };
  throw new UsageError('--holder or --user must say whose leases are meant, and not both');
}
