// The commands `list`, `show`, `history`, `generate` and `delete`.

import type { Token, TokenUse } from '../../../../libs/client/src/index.js';
import { attributesText } from '../attribute-values.js';
import type { Command } from '../command.js';
import { listed, pageFor } from '../listed.js';
import type { Option } from '../option.js';
import { time, type Column } from '../output.js';
import { UsageError } from '../usage-error.js';

const STATUSES = ['all', 'available', 'active', 'cooling', 'dirty', 'cleaning', 'disabled'] as const;

export const STATUS_OPTION: Option = {
  value: 'STATUS',
  help: `${STATUSES.join(', ')}; active: the oldest lease first`,
};

const TOKEN_COLUMNS: readonly Column<Token>[] = [
  { title: 'token', of: ({ id }) => id },
  { title: 'status', width: 9, of: ({ status }) => status },
  { title: 'fence', of: ({ fence }) => fence },
  { title: 'user', of: ({ holder, active_user_id }) => holder ?? active_user_id },
  { title: 'until', of: ({ expires_at }) => time(expires_at) },
];

const USE_COLUMNS: readonly Column<TokenUse>[] = [
  { title: 'fence', of: ({ fence }) => fence },
  { title: 'user', of: ({ holder, user_id }) => holder ?? user_id },
  { title: 'since', of: ({ started_at }) => time(started_at) },
  { title: 'until', width: 24, of: ({ ended_at }) => time(ended_at) },
  { title: 'ended by', of: ({ end_reason }) => end_reason },
];

export const list: Command = {
  name: 'list',
  summary: 'the tokens of a pool',
  options: {
    status: STATUS_OPTION,
    user: { value: 'UUID', help: 'only tokens that this user holds' },
    holder: { value: 'NAME', help: 'only tokens that are held under this name' },
    limit: { value: 'N', help: 'at most so many; default: all' },
  },
  examples: ['list --status active', 'list --pool elastic --json | jq -r .id'],
  async run({ pool, given, output }) {
    given.noOperand();
    const limit = given.whole('limit', 1);
    const request = {
      status: statusOf(given.text('status')),
      user_id: given.text('user'),
      holder: given.text('holder'),
      limit: pageFor(limit),
    };
    await listed(pool.list(request), ({ tokens }) => tokens, output.table(TOKEN_COLUMNS), limit);
  },
};

export function statusOf(text: string | undefined): (typeof STATUSES)[number] | undefined {
  const status = STATUSES.find((one) => one === text);
  if (status === text) return status;
  throw new UsageError(`--status is ${JSON.stringify(text)}; allowed are ${STATUSES.join(', ')}`);
}

export const show: Command = {
  name: 'show',
  operands: 'TOKEN',
  summary: 'a token, and who holds it',
  examples: ['show 0078105e-843b-4a32-812c-f5cca618c749'],
  async run({ pool, given, output }) {
    const token = await pool.show(given.operand('TOKEN'));
    await output.one(token, {
      token: token.id,
      pool: token.pool,
      ...(token.name !== null && { name: token.name }),
      ...(token.attributes !== null && { attributes: attributesText(token.attributes) }),
      status: token.status,
      fence: token.fence,
      user: token.active_user_id,
      ...(token.holder !== null && { holder: token.holder }),
      since: time(token.current_user?.activated_at ?? null),
      until: time(token.expires_at),
      'last use': time(token.last_activated_at),
    });
  },
};

export const history: Command = {
  name: 'history',
  operands: 'TOKEN',
  summary: 'who used a token, the latest first',
  options: { limit: { value: 'N', help: 'at most so many; default: all' } },
  examples: ['history 0078105e-843b-4a32-812c-f5cca618c749 --limit 10'],
  async run({ pool, given, output }) {
    const limit = given.whole('limit', 1);
    const uses = pool.history(given.operand('TOKEN'), { limit: pageFor(limit) });
    await listed(uses, (page) => page.history, output.table(USE_COLUMNS), limit);
  },
};

export const generate: Command = {
  name: 'generate',
  summary: 'makes a token in an elastic pool',
  examples: ['generate --pool elastic'],
  async run({ pool, given, output }) {
    given.noOperand();
    const token = await pool.generate();
    await output.message(token, `token ${token.id} is ${token.status}`);
  },
};

export const deleteToken: Command = {
  name: 'delete',
  operands: 'TOKEN',
  summary: 'deletes a token of an elastic pool',
  options: { force: { help: 'also when it is held: its lease is ended first' } },
  examples: ['delete 0078105e-843b-4a32-812c-f5cca618c749 --force'],
  async run({ pool, given, output }) {
    const answer = await pool.delete(given.operand('TOKEN'), given.flag('force') ? { force: true } : {});
    await output.message(answer, `token ${answer.token_id} is deleted`);
  },
};
