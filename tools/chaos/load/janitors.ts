// The pool whose tokens are cleaned between two users: users who release with a report or not at all, janitors who
// clean and may be killed in the middle of it, and an operator who takes tokens out of service and puts them back.

import { setTimeout as sleep } from 'node:timers/promises';
import { ask, type Reply, type Request } from '../../harness/ask.js';
import type { Random } from '../../harness/random.js';
import type { HistoryWriter, Visit } from '../history.js';
import type { Caller } from './caller.js';
import { CLEANED } from './pools.js';
import type { Target } from './recorder.js';

const USERS = 6;
/** The shares of users who never release, and of reports. */
const WALK_AWAY = 0.08;
const DIRTY = 0.1;
const BROKEN = 0.04;
/** The share of cleanings whose janitor is killed. */
const KILLED = 0.2;
const FAILED = 0.1;
const HOLD_MS = 500;
const CLEAN_MS = 400;
const AGAIN_MS = 100;

export class CleanedPool {
  #count = 0;

  constructor(
    private readonly targets: readonly Target[],
    private readonly history: HistoryWriter,
    private readonly random: Random,
    private readonly by: Caller,
    private readonly isOver: () => boolean,
  ) {}

  /** @param janitors how many clean at a time; another one comes for each that is killed */
  async run(janitors: number): Promise<void> {
    const loop = async (work: () => Promise<void>): Promise<void> => {
      while (!this.isOver()) await work();
    };
    await Promise.all([
      ...Array.from({ length: USERS }, () => loop(() => this.#use())),
      ...Array.from({ length: janitors }, () => loop(() => this.#clean())),
      loop(() => this.#operate()),
    ]);
  }

  async #use(): Promise<void> {
    const path = '/api/tokens/allocate';
    await this.#visit('user', { method: 'POST', path, body: { pool: CLEANED.name } }, async (lease) => {
      await sleep(this.random.between(0, HOLD_MS));
      const fate = this.random.next();
      if (fate < WALK_AWAY) return {};
      const condition = fate < WALK_AWAY + DIRTY ? 'dirty' : fate < WALK_AWAY + DIRTY + BROKEN ? 'broken' : 'ok';
      return this.#release(lease, condition);
    });
    await sleep(this.random.between(0, AGAIN_MS));
  }

  async #clean(): Promise<void> {
    const path = `/api/pools/${CLEANED.name}/clean`;
    const body = { holder: `janitor-${++this.#count}`, wait_seconds: 1 };
    await this.#visit('janitor', { method: 'POST', path, body }, async (lease) => {
      await sleep(this.random.between(0, CLEAN_MS));
      if (this.random.chance(KILLED)) return {};
      return this.#release(lease, this.random.chance(FAILED) ? 'dirty' : 'ok');
    });
  }

  async #visit(
    as: Visit['as'],
    request: Request,
    work: (lease: Reply['body']) => Promise<Pick<Visit, 'condition' | 'released'>>,
  ): Promise<void> {
    const sent = this.history.now();
    const reply = await this.#ask(request);
    if (reply.status !== 200) return void (await sleep(this.random.between(0, AGAIN_MS)));
    const { fence, token_id: token } = reply.body as { fence: number; token_id: string };
    const said = await work(reply.body);
    this.history.write({ kind: 'visit', as, fence, token, sent, answered: this.history.now(), ...said });
  }

  async #release(
    { token_id, lease_id }: Reply['body'],
    condition: NonNullable<Visit['condition']>,
  ): Promise<Pick<Visit, 'condition' | 'released'>> {
    const path = `/api/tokens/${String(token_id)}/release`;
    const { status } = await this.#ask({ method: 'POST', path, body: { lease_id, condition } });
    // An answer that is lost says nothing.
    return { condition, released: status === 200 ? true : status === null || status >= 500 ? null : false };
  }

  /** Enables what is out of service, so that the pool does not run dry, and disables a token now and then. */
  async #operate(): Promise<void> {
    const list = (query: string): Promise<Reply> =>
      this.#ask({ method: 'GET', path: `/api/tokens?pool=${CLEANED.name}&${query}` });
    const { body } = await list('status=disabled');
    for (const { id } of (body['tokens'] ?? []) as { id: string }[]) {
      await this.#ask({ method: 'POST', path: `/api/tokens/${id}/enable`, body: { note: 'repaired' } });
    }
    const all = ((await list('limit=100')).body['tokens'] ?? []) as { id: string }[];
    if (all.length > 0 && this.random.chance(0.3)) {
      const reason = { reason: 'inspection', when: this.random.pick(['now', 'when_free'] as const) };
      await this.#ask({ method: 'POST', path: `/api/tokens/${this.random.pick(all).id}/disable`, body: reason });
    }
    await sleep(this.random.between(0, 1000));
  }

  #ask(request: Request): Promise<Reply> {
    return ask(this.random.pick(this.targets).port, { ...request, headers: this.by.headers });
  }
}
