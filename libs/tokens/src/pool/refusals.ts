// The errors with which a pool refuses a command.

import { DomainError } from '../kernel/domain-error.js';
import type { PoolPolicy } from './pool-policy.js';
import type { Ticket } from './ticket.js';
import type { TokenStatus } from './token.js';

type Named = Pick<PoolPolicy, 'name'>;

export const poolPaused = ({ name }: Named): DomainError =>
  new DomainError('pool_paused', `pool ${name} is paused and grants nothing until it is opened`);

export const limitReached = ({ name, size }: PoolPolicy): DomainError =>
  new DomainError('pool_limit_reached', `pool ${name} has its ${size} tokens`);

export const notListed = ({ name, kind }: PoolPolicy): DomainError =>
  new DomainError('pool_not_listed', `pool ${name} is ${kind}: only tokens of a listed pool have names`);

export const nameMissing = ({ name }: Named): DomainError =>
  new DomainError('invalid_request', `name must be given: pool ${name} is listed`);

export const poolIsFixed = ({ name }: Named, action: string): DomainError =>
  new DomainError('pool_is_fixed', `tokens of the fixed pool ${name} cannot be ${action}`);

export const overQuota = ({ name }: Named, whose: string, most: number, retryAfterSeconds?: number): DomainError =>
  new DomainError('quota_exceeded', `${whose} as many leases as pool ${name} allows, ${most}`, { retryAfterSeconds });

export const tokenExists = ({ name }: Named, ofToken: string): DomainError =>
  new DomainError('token_exists', `there is a token ${ofToken} in pool ${name} already`);

export const noTokenOfName = ({ name }: Named, ofToken: string): DomainError =>
  new DomainError('token_not_found', `there is no token ${ofToken} in pool ${name}`);

export const tokenInUse = (token: string, retryAfterSeconds?: number): DomainError =>
  new DomainError('token_in_use', `token ${token} is held, and its lease is not ended for another`, {
    retryAfterSeconds,
  });

export const tokenNotReady = (token: string, status: TokenStatus, retryAfterSeconds?: number): DomainError =>
  status === 'disabled'
    ? new DomainError('token_disabled', `token ${token} is disabled until somebody enables it`)
    : new DomainError('token_in_use', `token ${token} is ${status}, and is not granted before that is over`, {
        retryAfterSeconds,
      });

export const nothingDirty = ({ name }: Named): DomainError =>
  new DomainError('nothing_dirty', `no token of pool ${name} waits to be cleaned`);

export const tokenHeld = (token: string): DomainError =>
  new DomainError('token_in_use', `token ${token} is held; force=true ends its lease first`);

export const tokensHeld = ({ name }: Named, leases: number): DomainError =>
  new DomainError('token_in_use', `${leases} tokens of pool ${name} are held; force=true ends their leases first`);

export const unsatisfiable = ({ name }: Named): DomainError =>
  new DomainError('unsatisfiable', `no token of pool ${name} has what is selected, held or not`);

export const stillDeleting = ({ name }: Named): DomainError =>
  new DomainError('pool_exists', `pool ${name} is still being deleted`, { retryAfterSeconds: 1 });

export const poolExists = ({ name }: Named): DomainError =>
  new DomainError('pool_exists', `there is a pool ${name} already`);

export const tooMany = ({ name, size }: PoolPolicy, count: number): DomainError =>
  new DomainError('unsatisfiable', `pool ${name} never has ${count} tokens: its size is ${size}`);

export const tooFewSelected = ({ name }: Named, count: number): DomainError =>
  new DomainError('unsatisfiable', `pool ${name} has fewer than ${count} tokens with what is selected, held or not`);

export const lineFull = ({ name, maxWaiting }: PoolPolicy): DomainError =>
  new DomainError(
    'line_full',
    maxWaiting === 0
      ? `nobody may wait for pool ${name}: its max_waiting is 0`
      : `${maxWaiting} may wait for pool ${name}, and no more`,
  );

export const waitsAlready = ({ name, maxWaitingPerUser }: PoolPolicy, userId: string): DomainError =>
  new DomainError('quota_exceeded', `user ${userId} has as many places as pool ${name} allows, ${maxWaitingPerUser}`);

export const ticketEnded = ({ id, status, endReason }: Pick<Ticket, 'id' | 'status' | 'endReason'>): DomainError =>
  new DomainError(
    'ticket_ended',
    status === 'ended' ? `ticket ${id} has ended: ${endReason}` : `ticket ${id} was granted, and its lease is over`,
    { fields: { end_reason: endReason ?? 'granted' } },
  );

export const ticketGranted = ({ id }: Pick<Ticket, 'id'>): DomainError =>
  new DomainError('ticket_ended', `ticket ${id} was granted, so there is no place to give back: release its lease`, {
    fields: { end_reason: 'granted' },
  });

export const mustBeClaimed = (token: string): DomainError =>
  new DomainError('not_renewable', `token ${token} is offered to somebody in the line, who must claim it first`);
