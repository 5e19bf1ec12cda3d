// The commands `events` and `watch`.

import type { TokenEvent } from '../../../../libs/client/src/index.js';
import type { Command } from '../command.js';
import { listed, pageFor } from '../listed.js';
import { time, type Column } from '../output.js';
import { UsageError } from '../usage-error.js';

const EVENT_COLUMNS: readonly Column<TokenEvent>[] = [
  { title: 'seq', width: 6, of: ({ seq }) => seq },
  { title: 'when', width: 24, of: ({ occurred_at }) => time(occurred_at) },
  { title: 'event', width: 14, of: ({ event }) => event },
  { title: 'reason', width: 24, of: ({ reason }) => reason },
  { title: 'fence', width: 6, of: ({ fence }) => fence },
  { title: 'token', width: 36, of: ({ token_id }) => token_id },
  { title: 'user', of: ({ holder, user_id }) => holder ?? user_id },
];

export const events: Command = {
  name: 'events',
  operands: '[TOKEN]',
  summary: 'the events of a token, the latest first; without TOKEN those of the pool, from the beginning',
  options: {
    after: { value: 'SEQ', help: 'of the pool: begin after this one' },
    limit: { value: 'N', help: 'at most so many; default: all' },
  },
  examples: ['events 0078105e-843b-4a32-812c-f5cca618c749 --limit 10', 'events --after 1200 --json'],
  async run({ pool, given, output }) {
    const tokenId = given.optionalOperand('TOKEN');
    const [after, limit] = [given.whole('after', 0), given.whole('limit', 1)];
    if (tokenId !== undefined && after !== undefined) throw new UsageError('--after is of a pool, not of a token');
    const page = { limit: pageFor(limit) };
    const table = output.table(EVENT_COLUMNS);
    if (tokenId === undefined) await listed(pool.feed({ after, ...page }), (page) => page.events, table, limit);
    else await listed(pool.events(tokenId, page), (page) => page.events, table, limit);
  },
};

export const watch: Command = {
  name: 'watch',
  summary: 'what happens in a pool, as it happens',
  options: {
    after: { value: 'SEQ', help: 'begin after this one; 0: with the first; default: latest' },
    token: { value: 'UUID', help: 'only what happens to this token' },
    user: { value: 'UUID', help: 'only what happens to leases of this user' },
    limit: { value: 'N', help: 'end after so many' },
  },
  notes:
    'After a lost connection the stream resumes where it broke off: no event comes twice, and none is missing.\n' +
    'If the service was restored or replaced, a message says so, and its events come from the beginning.',
  examples: ['watch', 'watch --after 0 --json | jq -c \'select(.reason == "lru_eviction")\''],
  async run({ pool, given, output }) {
    given.noOperand();
    const after = given.text('after') === 'latest' ? ('latest' as const) : given.whole('after', 0);
    let left = given.whole('limit', 1) ?? Infinity;
    const request = { after, token_id: given.text('token'), user_id: given.text('user') };
    let isBroken = false;
    const onState = (state: 'connected' | 'reconnecting', error?: unknown): void => {
      if (state === 'reconnecting' && !isBroken) console.error(`tokenpool: ${(error as Error).message}; trying again`);
      if (state === 'connected' && isBroken) console.error('tokenpool: connected again');
      isBroken = state === 'reconnecting';
    };
    const onOtherHistory = ({ message }: Error): void =>
      console.error(`tokenpool: ${message}; the events that follow are from the beginning of another history`);
    const table = output.table(EVENT_COLUMNS);
    for await (const event of pool.watch(request, { onState, onOtherHistory })) {
      await table([event]);
      if (--left <= 0) return;
    }
  },
};
