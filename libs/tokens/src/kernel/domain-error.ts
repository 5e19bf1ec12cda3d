// The domain refuses with a DomainError that has one of these codes. The HTTP layer maps each code to a status.

export type DomainErrorCode =
  | 'invalid_request'
  | 'pool_is_fixed'
  | 'pool_limit_reached'
  | 'lease_handle_required'
  | 'token_not_found'
  | 'pool_not_found'
  | 'token_not_active'
  | 'stale_lease'
  | 'pool_exhausted'
  | 'pool_paused'
  | 'quota_exceeded'
  | 'not_renewable'
  | 'token_in_use'
  | 'token_disabled'
  | 'nothing_dirty'
  | 'token_exists'
  | 'unsatisfiable'
  | 'line_full'
  | 'ticket_not_found'
  | 'ticket_ended'
  | 'pool_not_listed'
  | 'secrets_off'
  | 'pool_exists'
  | 'pool_deleted'
  | 'lease_ended'
  | 'idempotency_key_reused'
  | 'token_deleted'
  | 'history_dropped'
  | 'position_unknown'
  | 'insufficient_scope'
  | 'key_not_found'
  | 'unavailable';

/** What an error may carry beside its message. */
export interface DomainErrorFacts {
  /** The seconds after which a retry makes sense. */
  readonly retryAfterSeconds?: number;
  /** Further fields of the response, with the names of the wire. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

export class DomainError extends Error {
  constructor(
    readonly code: DomainErrorCode,
    detail: string,
    readonly facts: DomainErrorFacts = {},
  ) {
    super(detail);
    this.name = 'DomainError';
  }
}

export const poolNotFound = (poolName: string): DomainError =>
  new DomainError('pool_not_found', `there is no pool ${poolName}`);

export const poolDeleted = (poolName: string): DomainError =>
  new DomainError('pool_deleted', `pool ${poolName} was deleted`);

export const tokenNotFound = (tokenId: string): DomainError =>
  new DomainError('token_not_found', `there is no token ${tokenId}`);

export const tokenDeleted = (tokenId: string): DomainError =>
  new DomainError('token_deleted', `token ${tokenId} was deleted`);

export const ticketNotFound = (ticketId: string): DomainError =>
  new DomainError('ticket_not_found', `there is no ticket ${ticketId}`);

/** The caller has hung up, so the service stops working for it. */
export const callerGone = (): DomainError =>
  new DomainError('unavailable', 'the caller hung up before its turn came; nothing was changed', {
    retryAfterSeconds: 1,
  });

/** The service no longer keeps events that a caller asks for. @param begins the seq after which there are events */
export const historyDropped = (pool: string, begins: number, what: string): DomainError =>
  new DomainError('history_dropped', `${what}; the events of pool ${pool} begin after seq ${begins}`, {
    fields: { begins_after: begins },
  });

/**
 * A reader gives a position that this database has never given. The database was restored or replaced since, so the
 * reader knows another history.
 * @param anew how to begin again
 */
export const positionUnknown = (what: string, anew: string, fields: Readonly<Record<string, number>>): DomainError =>
  new DomainError(
    'position_unknown',
    `${what} was never given by this database, which may have been restored or replaced: begin anew ${anew}`,
    { fields },
  );

/** `positionUnknown` for a seq in the feed of a pool. @param begins the seq after which its events begin; 0 for all */
export const seqUnknown = (pool: string, after: number, lastSeq: number, begins: number): DomainError =>
  positionUnknown(`seq ${after} of pool ${pool}`, `with after=${begins}`, { last_seq: lastSeq, begins_after: begins });
