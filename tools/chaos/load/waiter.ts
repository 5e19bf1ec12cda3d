// A caller that waits in line: takes a place, claims until its turn comes, holds its tokens for a while and gives them
// back. Now and then it leaves the line, walks away from it, or keeps its tokens to the end.

import { setTimeout as sleep } from 'node:timers/promises';
import type { HistoryWriter, Wait } from '../history.js';
import { ask, type Reply, type Request } from '../../harness/ask.js';
import type { Random } from '../../harness/random.js';
import type { Caller } from './caller.js';
import { LINE } from './pools.js';
import type { Target } from './recorder.js';

/** The shares of those who leave, who walk away, and who keep their tokens. */
const LEAVE = 0.05;
const WALK_AWAY = 0.03;
const KEEP = 0.1;
const MOST_TOKENS = 3;
/** How long one request waits, in seconds. */
const WAIT_SECONDS = 1;
const HOLD_MS = 400;
/** How long before the end of its time a slow one claims. */
const CLAIMS_MS = 250;
const AGAIN_MS = [20, 300] as const;

interface Grant {
  readonly token_id: string;
  readonly lease_id: string;
  readonly fence: number;
}

export class Waiter {
  #count = 0;

  constructor(
    private readonly name: string,
    private readonly targets: readonly Target[],
    private readonly history: HistoryWriter,
    private readonly random: Random,
    private readonly by: Caller,
    /** Claims at the last moment, and keeps its tokens to the end. */
    private readonly isSlow = false,
  ) {}

  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const wait = await this.#wait(`${this.name}-${++this.#count}`, isOver);
      this.history.write(wait);
      await sleep(this.random.between(0, 500));
    }
  }

  async #wait(id: string, isOver: () => boolean): Promise<Wait> {
    const count = this.random.whole(1, MOST_TOKENS);
    const sent = this.history.now();
    const done = (outcome: Wait['outcome'], more: Partial<Wait> = {}): Wait => ({
      kind: 'wait',
      id,
      count,
      sent,
      answered: this.history.now(),
      outcome,
      ...more,
    });
    const body = { pool: LINE.name, count, wait_seconds: this.random.chance(0.5) ? WAIT_SECONDS : 0 };
    const headers = { 'x-request-id': id, 'idempotency-key': id };
    const first = await this.#insist({ method: 'POST', path: '/api/tokens/allocate', body, headers }, isOver);
    if (first?.status === 200) return this.#hold(grantsOf(first), done);
    if (first?.status !== 202) return done(first ? 'refused' : 'unknown', { error: String(first?.body['error']) });
    const ticket = String(first.body['id']);
    const path = `/api/tickets/${ticket}`;
    if (this.isSlow) await this.#tarry(path, isOver);
    const fate = this.isSlow ? 1 : this.random.next();
    if (fate < WALK_AWAY) return done('walked away', { ticket });
    if (fate < WALK_AWAY + LEAVE) {
      const left = await this.#insist({ method: 'DELETE', path }, isOver);
      return done(left?.status === 200 ? 'left' : 'unknown', { ticket });
    }
    for (;;) {
      const claim = { method: 'POST', path: `${path}/claim`, body: { wait_seconds: WAIT_SECONDS } };
      const claimed = await this.#insist(claim, isOver);
      if (claimed?.status === 200) return this.#hold(grantsOf(claimed), done, ticket);
      if (claimed?.status === 202 && !isOver()) continue;
      if (claimed?.status === 410) return done('ended', { ticket, error: String(claimed.body['end_reason']) });
      if (claimed?.status === 404) return done('lost', { ticket });
      return done('unknown', { ticket });
    }
  }

  /** Until the time to claim an offer is nearly over. */
  async #tarry(path: string, isOver: () => boolean): Promise<void> {
    for (;;) {
      const { body } = (await this.#insist({ method: 'GET', path }, isOver)) ?? {};
      const { status, claim_by } = body ?? {};
      if (status === 'offered') return sleep(Math.max(0, Date.parse(String(claim_by)) - Date.now() - CLAIMS_MS));
      if (status !== 'waiting' || isOver()) return;
      await sleep(this.random.between(...AGAIN_MS));
    }
  }

  async #hold(
    grants: readonly Grant[],
    done: (outcome: Wait['outcome'], more: Partial<Wait>) => Wait,
    ticket?: string,
  ): Promise<Wait> {
    const wait = done('granted', { ticket, fences: grants.map(({ fence }) => fence) });
    if (this.isSlow || this.random.chance(KEEP)) return wait;
    await sleep(this.random.between(0, HOLD_MS));
    for (const { token_id, lease_id } of grants) {
      const release = { method: 'POST', path: `/api/tokens/${token_id}/release`, body: { lease_id } };
      // A lease that is not released ends by itself.
      await ask(this.random.pick(this.targets).port, { ...release, headers: this.by.headers });
    }
    return wait;
  }

  /** Repeats a request at any process until it has a clear answer; undefined when the run is over before. */
  async #insist(request: Request, isOver: () => boolean): Promise<Reply | undefined> {
    while (!isOver()) {
      const headers = { ...this.by.headers, ...request.headers };
      const reply = await ask(this.random.pick(this.targets).port, { ...request, headers });
      if (reply.status !== null && reply.status < 500 && reply.error === undefined) return reply;
      await sleep(this.random.between(...AGAIN_MS));
    }
    return undefined;
  }
}

const grantsOf = ({ body }: Reply): readonly Grant[] => (body['grants'] ?? [body]) as unknown as readonly Grant[];
