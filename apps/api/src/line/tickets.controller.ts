// The routes of the line: take a place, claim, give it back, look.

import {
  Body,
  Controller,
  Delete,
  Get,
  HttpStatus,
  Post,
  Query,
  Res,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { ApiBody, ApiParam, ApiTags } from '@nestjs/swagger';
import {
  DEFAULT_POOL,
  LineReader,
  LineService,
  maySee,
  ticketFor,
  ticketNotFound,
  type Caller,
  type OwnedTicket,
  type TicketPage,
  type TicketView,
} from '@app/tokens';
import type { Response } from 'express';
import { RequireScope } from '../access/require-scope.decorator.js';
import { leavePlace } from '../http/admission.js';
import { CurrentCaller } from '../http/current-caller.decorator.js';
import { DeclaredInputGuard } from '../http/declared-input.guard.js';
import { Gone } from '../http/gone.decorator.js';
import { CurrentRequest, Idempotent, type RequestContext } from '../http/idempotency.js';
import { ReadingTurns } from '../http/reading-turns.js';
import { BODY, OF_POOL, Operation } from '../openapi/operation.decorator.js';
import { POOL_NAME_PARAM, PoolName } from '../pools/pool-name.pipe.js';
import { granted } from '../tokens/granted.js';
import { GrantAnswer } from '../tokens/token.responses.js';
import { askerOf } from '../tokens/whose.js';
import { HeldRequests } from './held-requests.js';
import { TICKET_ID, TicketId } from './ticket-id.pipe.js';
import { CancelTicketQuery, ClaimTicketBody, CreateTicketBody, LineQuery } from './ticket.requests.js';
import { Ticket, TicketCancellation, TicketList } from './ticket.responses.js';

const OF_TICKET = ['ticket_not_found'] as const;

@ApiTags('line')
@UseGuards(DeclaredInputGuard)
@Controller('api')
export class TicketsController {
  constructor(
    private readonly service: LineService,
    private readonly reader: LineReader,
    private readonly held: HeldRequests,
  ) {}

  @Post('tickets')
  @ApiBody({ type: CreateTicketBody, required: false })
  @RequireScope('use', 'the body')
  @Operation('createTicket', {
    summary: 'Take a place in the line of a pool',
    description:
      'In a pool with `max_waiting`. If nobody waits for a token that is free, it is offered at once. An offer must be claimed ' +
      'before `claim_by`, and a place that waits needs a sign of life, which a claim is, before `patience_until`.',
    status: 201,
    answer: Ticket,
    problems: [...BODY, ...OF_POOL, 'pool_paused', 'quota_exceeded', 'line_full', 'unsatisfiable'],
  })
  @Idempotent()
  async create(@Body() body: CreateTicketBody, @CurrentRequest() context: RequestContext): Promise<TicketView> {
    const { pool = DEFAULT_POOL, ttl_seconds, count = 1, select, metadata } = body;
    const { userId, holder } = askerOf(body);
    const request = { userId, holder, ttlSeconds: ttl_seconds, count, select, metadata };
    return ticketFor(context.caller, await this.service.queue(pool, request, context));
  }

  @Post('tickets/:id/claim')
  @ApiParam(TICKET_ID)
  @ApiBody({ type: ClaimTicketBody, required: false })
  @RequireScope(['use', 'operate'], 'its ticket')
  @Operation('claimTicket', {
    summary: 'Claim what a ticket is offered, or wait for it',
    description:
      'Waits for up to `wait_seconds`, and answers with the grant, or with the ticket while its turn has not come. Claiming again ' +
      'answers with the same grant while its lease is open.',
    answer: GrantAnswer,
    also: { status: 202, answer: Ticket, description: 'It still waits.' },
    problems: [...BODY, ...OF_TICKET, 'ticket_ended'],
  })
  async claim(
    @TicketId() id: string,
    @Body() { wait_seconds: waitSeconds = 0 }: ClaimTicketBody,
    @CurrentRequest() context: RequestContext,
    @Gone() gone: AbortSignal,
    @Res({ passthrough: true }) res: Response,
  ): Promise<GrantAnswer | TicketView> {
    const { pool } = await this.#ticket(id, context.caller);
    if (waitSeconds > 0) leavePlace(res);
    const grants = await this.held.hold(pool, id, waitSeconds, gone, (wait) =>
      this.service.claim(pool, id, wait, context),
    );
    if (grants) return granted(pool, grants, context.caller);
    res.status(HttpStatus.ACCEPTED);
    return ticketFor(context.caller, await this.reader.ticket(id));
  }

  @Get('tickets/:id')
  @ApiParam(TICKET_ID)
  @UseInterceptors(ReadingTurns)
  @RequireScope(['read', 'use', 'operate'], 'its ticket')
  @Operation('getTicket', {
    summary: 'A ticket: its position, its promise, and what became of it',
    description: 'No sign of life. A ticket that is over is kept for 24 hours.',
    answer: Ticket,
    problems: OF_TICKET,
  })
  async show(@TicketId() id: string, @CurrentCaller() caller: Caller, @Gone() gone: AbortSignal): Promise<TicketView> {
    return ticketFor(caller, await this.#ticket(id, caller, this.reader.until(gone)));
  }

  @Delete('tickets/:id')
  @ApiParam(TICKET_ID)
  @RequireScope(['use', 'operate'], 'its ticket')
  @Operation('cancelTicket', {
    summary: 'Give a place in the line back, and what it is offered',
    description: 'A ticket that was granted is over: its lease is released as any other.',
    answer: TicketCancellation,
    problems: [...OF_TICKET, 'ticket_ended'],
  })
  async cancel(
    @TicketId() id: string,
    @Query() { note }: CancelTicketQuery,
    @CurrentCaller() caller: Caller,
  ): Promise<TicketCancellation> {
    await this.service.cancel(id, note, { caller });
    return { cancelled: true, ticket_id: id };
  }

  @Get('pools/:name/tickets')
  @ApiParam(POOL_NAME_PARAM)
  @UseInterceptors(ReadingTurns)
  @RequireScope('read', 'the path')
  @Operation('listTickets', {
    summary: 'The line of a pool, in order',
    description: 'Who waits is shown to keys that may operate; any other sees who waits with it.',
    answer: TicketList,
    problems: OF_POOL,
  })
  async list(
    @PoolName() name: string,
    @Query() { limit = '100', cursor }: LineQuery,
    @CurrentCaller() caller: Caller,
    @Gone() gone: AbortSignal,
  ): Promise<TicketPage> {
    const page = await this.reader.until(gone).line(name, { limit: Number(limit), cursor });
    return { ...page, tickets: page.tickets.map((ticket) => ticketFor(caller, ticket)) };
  }

  /** @throws DomainError `ticket_not_found`, also for the ticket of another key */
  async #ticket(id: string, caller: Caller, reader = this.reader): Promise<OwnedTicket> {
    const ticket = await reader.ticket(id);
    if (!maySee(caller, ticket.key_id)) throw ticketNotFound(id);
    return ticket;
  }
}
