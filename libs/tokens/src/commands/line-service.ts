// The use cases of waiting: each makes a command and hands it to the executor.

import { ticketNotFound } from '../kernel/domain-error.js';
import type { Claimed, Grant, PlaceRequest } from '../pool/requests.js';
import type { Ticket } from '../pool/ticket.js';
import type { LineReader } from '../reading/line-reader.js';
import type { OwnedTicket } from '../reading/views.js';
import { allocateOrQueue, allocateSeveral, cancel, claim, giveBack, once, queue, type Command } from './command.js';
import type { Executor } from './executor.js';
import type { CommandContext, OpenGrant, TokenPoolService } from './token-pool-service.js';

/** The grants of a request, or the ticket that waits for them. */
export type Allocated = { readonly grants: readonly OpenGrant[] } | { readonly ticketId: string };

export class LineService {
  constructor(
    private readonly executor: Executor,
    private readonly reader: LineReader,
    private readonly service: TokenPoolService,
  ) {}

  /**
   * Of a ticket in one of these pools.
   * @throws DomainError `ticket_not_found` for any other, `unavailable`
   */
  async mustBeOf(pools: ReadonlySet<string>, ticketId: string): Promise<void> {
    const { pool } = await this.reader.ticket(ticketId);
    if (!pools.has(pool)) throw ticketNotFound(ticketId);
  }

  /**
   * Grants tokens at once, all or none. With `waitSeconds`, it takes a place in the line if it cannot.
   * @throws DomainError as TokenPoolService.allocate; `line_full`
   */
  async allocate(
    poolName: string,
    request: PlaceRequest,
    waitSeconds: number | undefined,
    context: CommandContext = {},
  ): Promise<Allocated> {
    const { caller, idempotency, isGone } = context;
    const secrets = this.#secrets(poolName);
    const command: Command<Grant[] | Ticket> =
      waitSeconds === undefined
        ? allocateSeveral(request, caller, isGone, secrets.check)
        : allocateOrQueue(request, waitSeconds, caller, isGone, secrets.check);
    if (idempotency) {
      const { value, isReplay } = await this.executor.submit(poolName, once(command, idempotency));
      // What has become of the ticket since is a new answer.
      if (!Array.isArray(value)) return { ticketId: value.id };
      if (isReplay) idempotency.onReplay();
      return { grants: isReplay ? await this.#again(poolName, value) : value.map(secrets.open) };
    }
    const value = await this.executor.submit(poolName, command);
    if (!Array.isArray(value)) return { ticketId: value.id };
    this.takeBackIfUndelivered(poolName, value, context);
    return { grants: value.map(secrets.open) };
  }

  /**
   * Takes a place in the line of a pool, and returns its ticket.
   * @throws DomainError `pool_not_found`, `pool_deleted`, `pool_paused`, `quota_exceeded`, `line_full`,
   * `unsatisfiable`, `unavailable`
   */
  async queue(
    poolName: string,
    request: PlaceRequest,
    { caller, idempotency }: CommandContext = {},
  ): Promise<OwnedTicket> {
    const command = queue(request, caller);
    if (!idempotency) return this.reader.ticket((await this.executor.submit(poolName, command)).id);
    const { value, isReplay } = await this.executor.submit(poolName, once(command, idempotency));
    if (isReplay) idempotency.onReplay();
    return this.reader.ticket(value.id);
  }

  /**
   * Claims what a ticket is offered; null while it waits, and a sign of life then.
   * @param waitSeconds for how long the caller waits now
   * @throws DomainError `ticket_not_found`, `ticket_ended`, `unavailable`
   */
  async claim(
    poolName: string,
    ticketId: string,
    waitSeconds: number,
    { caller, isGone }: CommandContext = {},
  ): Promise<readonly OpenGrant[] | null> {
    const secrets = this.#secrets(poolName);
    const command: Command<Claimed> = claim(ticketId, waitSeconds, caller, isGone, secrets.check);
    const { grants } = await this.executor.submit(poolName, command);
    return grants && grants.map(secrets.open);
  }

  /** Gives a place back, and what it is offered. @throws DomainError as `claim` */
  async cancel(ticketId: string, note: string | undefined, { caller }: CommandContext = {}): Promise<void> {
    const { pool } = await this.reader.ticket(ticketId);
    return this.executor.submit(pool, cancel(ticketId, note, caller));
  }

  /** Takes grants back whose answer did not reach the client, and that it cannot ask for again. */
  takeBackIfUndelivered(
    poolName: string,
    grants: readonly Pick<Grant, 'tokenId' | 'leaseId'>[],
    { caller, ifUndelivered }: CommandContext,
  ): void {
    ifUndelivered?.(() => {
      // If that fails, too, the leases expire.
      for (const { tokenId, leaseId } of grants) {
        void this.executor.submit(poolName, giveBack(tokenId, leaseId, caller)).catch(() => undefined);
      }
    });
  }

  /** A secret that no key opens refuses a grant, so it is opened before the commit. */
  #secrets(poolName: string): { check: (grant: Grant) => void; open: (grant: Grant) => OpenGrant } {
    const opened = new Map<string, OpenGrant['secret']>();
    return {
      check: ({ tokenId, secret }) => opened.set(tokenId, this.service.openSecret(poolName, tokenId, secret)),
      open: (grant) => ({ ...grant, secret: opened.get(grant.tokenId) ?? null }),
    };
  }

  async #again(poolName: string, grants: readonly Grant[]): Promise<OpenGrant[]> {
    return Promise.all(grants.map((grant) => this.service.withSecret(poolName, grant)));
  }
}
