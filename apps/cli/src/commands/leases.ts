// The commands `allocate`, `release` and `keep-alive`.

import type { Grant, LeaseRequest } from '../../../../libs/client/src/index.js';
import type { Arguments } from '../arguments.js';
import { attributesText, selectorOf } from '../attribute-values.js';
import type { Command } from '../command.js';
import { EXIT } from '../exit-code.js';
import { interruptible } from '../interruption.js';
import type { Options } from '../option.js';
import { time, type Column, type Output } from '../output.js';
import { PLACE_OPTIONS, waitingOf } from '../place.js';
import { UsageError } from '../usage-error.js';

export const LEASE_REQUEST_OPTIONS: Options = {
  user: { value: 'UUID', help: 'who will hold the token; default: a new one' },
  holder: { value: 'NAME', help: 'who will hold it, by a name such as ci-4711; instead of --user' },
  ttl: { value: 'SECONDS', help: 'length of the lease; default, and at most: the pool’s' },
  metadata: { value: 'JSON', help: 'an object, kept with the event' },
  name: { value: 'NAME', help: 'the thing of this name, and no other' },
  token: { value: 'UUID', help: 'this token, and no other' },
  select: {
    value: 'KEY=VALUE',
    help: 'only a thing with this attribute; VALUE,VALUE: one of these; nothing after the =: without it',
    isRepeatable: true,
  },
};

/** What the options of LEASE_REQUEST_OPTIONS say. */
export const leaseRequestOf = (given: Arguments): LeaseRequest => ({
  user_id: given.text('user'),
  holder: given.text('holder'),
  ttl_seconds: given.seconds('ttl'),
  metadata: given.object('metadata'),
  name: given.text('name'),
  token_id: given.text('token'),
  select: selectorOf(given),
});

const CLAIM_OPTIONS: Options = {
  lease: { value: 'ID', help: 'the lease_id that allocate answered' },
  user: { value: 'UUID', help: 'who holds the token' },
  fence: { value: 'N', help: 'the number of the lease' },
};

export const allocate: Command = {
  name: 'allocate',
  summary: 'takes a token',
  options: { ...LEASE_REQUEST_OPTIONS, ...PLACE_OPTIONS },
  notes: `With --wait it prints its place in the line on stderr, when it is taken and when it has changed. The place survives a
restart of the service. A signal that ends tokenpool gives it back. Exit code ${EXIT.waitEnded}: the wait ended without a token.`,
  examples: [
    'allocate',
    'allocate --pool elastic --ttl 30',
    'allocate --pool desks --wait 10m',
    'allocate --pool phones --count 2 --wait 90s',
    'allocate --holder ci-4711',
    'allocate --pool phones --select country=de --select os=14,15',
    `allocate --json --metadata '{"ticket":"A-1"}'`,
  ],
  async run({ pool, given, output }) {
    given.noOperand();
    const { wait, count, onPlace } = waitingOf(given);
    const request = { ...leaseRequestOf(given), count: count === 1 ? undefined : count };
    const answer =
      wait === undefined
        ? await pool.allocate(request)
        : await interruptible((signal) => pool.allocateInTurn(request, { wait, onPlace, signal }));
    if (typeof answer === 'number') return answer;
    if (count > 1) return output.table(GRANT_COLUMNS)(answer.grants ?? []);
    return printed(answer, output);
  },
};

const GRANT_COLUMNS: readonly Column<Grant>[] = [
  { title: 'token', of: ({ name, token_id }) => name ?? token_id },
  { title: 'lease', of: ({ lease_id }) => lease_id },
  { title: 'fence', of: ({ fence }) => fence },
  { title: 'until', of: ({ expires_at }) => time(expires_at) },
];

async function printed(grant: Grant, output: Output): Promise<void> {
  await output.one(grant, {
    token: grant.token_id,
    ...(grant.name !== null && { name: grant.name }),
    ...(grant.attributes !== null && { attributes: attributesText(grant.attributes) }),
    // Only what there is: a terminal shows and keeps what is printed. --json has all of the answer.
    ...(grant.secret !== null && { secret: `${Object.keys(grant.secret).join(', ')} (--json has it)` }),
    user: grant.user_id,
    ...(grant.holder !== null && { holder: grant.holder }),
    lease: grant.lease_id,
    fence: grant.fence,
    since: time(grant.activated_at),
    until: time(grant.expires_at),
    ...(grant.evicted && {
      evicted: `${grant.evicted.holder ?? `user ${grant.evicted.user_id}`} (fence ${grant.evicted.fence})`,
    }),
  });
}

export const release: Command = {
  name: 'release',
  operands: 'TOKEN',
  summary: 'gives a token back',
  options: {
    ...CLAIM_OPTIONS,
    force: { help: 'also where the pool asks for --lease; for a key that may operate' },
    note: { value: 'TEXT', help: 'why, for those who read the events' },
  },
  notes: 'The given options must match the open lease, so that the command ends no other lease.',
  examples: ['release "$TOKEN_ID" --lease "$LEASE_ID"', 'release 0078105e-843b-4a32-812c-f5cca618c749 --fence 17'],
  async run({ pool, given, output }) {
    const lease = {
      token_id: given.operand('TOKEN'),
      lease_id: given.text('lease'),
      user_id: given.text('user'),
      fence: given.whole('fence', 1),
    };
    const request = { force: given.flag('force') || undefined, note: given.text('note') };
    const answer = await pool.release(lease, request);
    await output.message(answer, `token ${answer.token_id} is ${answer.status}`);
  },
};

export const keepAlive: Command = {
  name: 'keep-alive',
  operands: 'TOKEN',
  summary: 'renews a lease',
  options: {
    lease: CLAIM_OPTIONS['lease']!,
    user: CLAIM_OPTIONS['user']!,
    ttl: {
      value: 'SECONDS',
      help: 'how long it is to last from now on, if that is longer; default, and at most: the pool’s',
    },
  },
  notes: '--lease or --user names the lease.',
  examples: ['keep-alive "$TOKEN_ID" --lease "$LEASE_ID"'],
  async run({ pool, given, output }) {
    const token_id = given.operand('TOKEN');
    const [lease_id, user_id] = [given.text('lease'), given.text('user')];
    if (lease_id === undefined && user_id === undefined) throw new UsageError('--lease or --user is missing');
    const renewal = await pool.keepAlive({ token_id, lease_id, user_id }, { ttl_seconds: given.seconds('ttl') });
    await output.message(renewal, `token ${renewal.token_id} is held until ${time(renewal.expires_at)}`);
  },
};
