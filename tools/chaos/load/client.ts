// A client: sends one request after the other to a process that seems to serve, and remembers its leases.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Call, Operation, PoolSetting } from '../history.js';
import type { Random } from '../../harness/random.js';
import { WITHOUT_KEY, type Caller } from './caller.js';
import { COUNTRIES, NAMES, USERS } from './pools.js';
import { isOk, type Recorder, type Target } from './recorder.js';

/** A lease as its client knows it. */
export interface Held {
  readonly pool: string;
  readonly token: string;
  /** The operation that got the lease. */
  readonly of: string;
  readonly user: string | null;
  readonly leaseId: string | null;
  readonly fence: number | null;
}

/** Commands that take an idempotency key. */
const REPEATABLE: ReadonlySet<Call['do']> = new Set(['allocate', 'release', 'keep-alive', 'generate', 'cleanup']);
const REPEATED = 0.25;
const TRIES = 8;
const HELD = 3;
const REMEMBERED = 4;
/** The share of calls about a lease that all clients know. */
const FOREIGN = 0.06;
/** The number of leases that all clients know. */
const KNOWN_TO_ALL = 30;
/** The share of calls that the key's scopes do not allow. */
const TRIED = 0.1;
const GREEDY = 0.4;
/** The pause after a refusal of the key. */
const TURNED_AWAY_MS = 200;

export class Client {
  readonly #held: Held[] = [];
  readonly #past: Held[] = [];
  readonly #tokens: string[] = [];
  #count = 0;
  #hasChangedPolicy = false;

  constructor(
    private readonly name: string,
    private readonly targets: readonly Target[],
    private readonly pools: readonly PoolSetting[],
    private readonly recorder: Recorder,
    private readonly random: Random,
    /** Gives the current caller of this client. */
    private readonly callerNow: () => Caller = () => WITHOUT_KEY,
    /** Some leases of all clients, which each client may try to renew or release. */
    private readonly knownToAll: Held[] = [],
  ) {}

  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const by = this.callerNow();
      const { pool, call } = this.#next(by);
      const id = `${this.name}-${++this.#count}`;
      const isRepeatable = REPEATABLE.has(call.do) && this.random.chance(REPEATED);
      const asking = isRepeatable ? this.#insist(id, pool, call, by, isOver) : this.#ask(id, pool, call, by);
      const operation = await asking;
      this.#remember(operation);
      const pause = this.random.chance(0.3) ? 0 : this.random.between(0, 60);
      await sleep(isTurnedAway(operation) ? TURNED_AWAY_MS : pause);
    }
  }

  #ask(id: string, pool: string, call: Call, by: Caller, key?: string): Promise<Operation> {
    return this.recorder.perform(this.#target(), id, pool, call, { key, by });
  }

  /** Repeats a request with its idempotency key, maybe at another process, until it has a clear answer. */
  async #insist(key: string, pool: string, call: Call, by: Caller, isOver: () => boolean): Promise<Operation> {
    let operation = await this.#ask(key, pool, call, by, key);
    for (let time = 2; time <= TRIES && isVague(operation) && !isOver(); time++) {
      await sleep(this.random.between(20, 400));
      operation = await this.#ask(`${key}.${time}`, pool, call, by, key);
    }
    return operation;
  }

  /** @returns mostly a process that answers, so that a stopped process does not stop the load */
  #target(): Target {
    const lively = this.targets.filter(({ number }) => this.recorder.isLively(number));
    return this.random.pick(lively.length > 0 && this.random.chance(0.98) ? lively : this.targets);
  }

  #next({ mayOperate }: Caller): { pool: string; call: Call } {
    const { random } = this;
    const { name: pool, kind, max_per_user } = random.pick(this.pools);
    const isTried = mayOperate || random.chance(TRIED);
    const choice = random.next();
    if (choice < 0.07) return { pool, call: { do: 'pool' } };
    if (choice < 0.1) return { pool, call: { do: 'active' } };
    if (isTried && choice < 0.105) return { pool, call: { do: 'cleanup' } };
    if (isTried && kind === 'elastic' && choice < 0.3)
      return { pool, call: { do: 'generate', short: random.chance(0.5) } };
    if (isTried && kind === 'listed' && choice < 0.2) return { pool, call: this.#operateThings(pool) };
    const token = this.#tokens.at(-1);
    if (isTried && kind === 'elastic' && choice < 0.34 && token !== undefined) {
      this.#tokens.pop();
      return { pool, call: { do: 'delete', token, force: random.chance(0.5), short: random.chance(0.3) } };
    }
    const held = this.#aLease();
    if (held && (choice > 0.62 || this.#held.length >= HELD)) {
      return { pool: held.pool, call: random.chance(0.65) ? this.#release(held) : this.#keepAlive(held) };
    }
    const ttl = random.chance(0.3) ? random.between(0.05, 1) : undefined;
    if (kind === 'elastic' && random.chance(0.4)) return { pool, call: { do: 'allocate', user: null, short: true } };
    const user = max_per_user === undefined ? randomUUID() : this.#user();
    const thing = kind === 'listed' ? this.#aThing() : {};
    return { pool, call: { do: 'allocate', user, ...(ttl === undefined ? {} : { ttl }), ...thing } };
  }

  #aThing(): { name?: string; select?: Record<string, string> } {
    const dice = this.random.next();
    if (dice < 0.5) return { select: { country: this.random.pick(COUNTRIES) } };
    return dice < 0.75 ? { name: this.random.pick(NAMES) } : {};
  }

  /** Imports things, describes or deletes one that this client holds, or changes the policy. */
  #operateThings(pool: string): Call {
    const { random } = this;
    const attributes = () => ({ country: random.pick(COUNTRIES), version: Math.floor(random.between(0, 1000)) });
    const held = this.#held.find((one) => one.pool === pool);
    const dice = random.next();
    // Each client begins with a change of the policy, so that a short run has one, too.
    if (dice < 0.2 || !this.#hasChangedPolicy) {
      this.#hasChangedPolicy = true;
      return { do: 'policy', change: { max_lifetime_seconds: random.between(6, 9) } };
    }
    if (held && dice < 0.5) return { do: 'describe', token: held.token, attributes: attributes() };
    if (held && dice < 0.6) return { do: 'delete', token: held.token, force: false, whenFree: true };
    const names = random.shuffled(NAMES).slice(0, Math.floor(random.between(NAMES.length / 2, NAMES.length + 1)));
    return {
      do: 'import',
      things: names.map((name) => ({ name, attributes: attributes() })),
      deletesMissing: random.chance(0.3),
    };
  }

  #user(): string {
    return this.random.chance(GREEDY) ? (USERS[0] as string) : this.random.pick(USERS);
  }

  /** @returns mostly a running lease of this client; sometimes one that is over or belongs to another client */
  #aLease(): Held | undefined {
    if (this.knownToAll.length > 0 && this.random.chance(FOREIGN)) return this.random.pick(this.knownToAll);
    const from = this.#past.length > 0 && this.random.chance(0.12) ? this.#past : this.#held;
    return from.length > 0 ? this.random.pick(from) : undefined;
  }

  #release(held: Held): Call {
    const { token, of, user, leaseId, fence } = held;
    this.#forget(held);
    // A client of a short route knows only the token.
    if (leaseId === null) return { do: 'release', token, of: null, by: {}, short: this.random.chance(0.7) };
    const by = this.random.pick([
      { lease_id: leaseId },
      isAlone(user) ? { user_id: user } : { lease_id: leaseId },
      { lease_id: leaseId },
      { fence },
      {},
    ]);
    return { do: 'release', token, of: Object.keys(by).length > 0 ? of : null, by };
  }

  #keepAlive({ token, of, user, leaseId }: Held): Call {
    if (leaseId === null) return { do: 'keep-alive', token, of, by: { client_id: of }, short: true };
    const by = isAlone(user) && this.random.chance(0.5) ? { user_id: user } : { lease_id: leaseId };
    const ttl = this.random.chance(0.3) ? { ttl_seconds: this.random.between(0.1, 2) } : {};
    return { do: 'keep-alive', token, of, by: { ...by, ...ttl } };
  }

  #forget(held: Held): void {
    const place = this.#held.indexOf(held);
    if (place < 0) return;
    this.#held.splice(place, 1);
    this.#past.push(held);
    if (this.#past.length > REMEMBERED) this.#past.shift();
  }

  #remember(operation: Operation): void {
    const { call, pool, key, id, answer } = operation;
    const of = key ?? id;
    if (!isOk(operation) || !answer) {
      // The lease seems to be over; the client keeps it for late requests about it.
      if (call.do === 'keep-alive')
        for (const held of this.#held.filter((one) => one.of === call.of)) this.#forget(held);
      return;
    }
    if (call.do === 'generate') this.#tokens.push(String(answer['id'] ?? answer['token']));
    if (call.do !== 'allocate') return;
    const isShort = call.short === true;
    const held = {
      pool,
      of,
      token: String(isShort ? answer['token'] : answer['token_id']),
      user: call.user,
      leaseId: isShort ? null : String(answer['lease_id']),
      fence: isShort ? null : (answer['fence'] as number),
    };
    this.#held.push(held);
    this.knownToAll.push(held);
    if (this.knownToAll.length > KNOWN_TO_ALL) this.knownToAll.shift();
  }
}

/** Whether the user has this lease only, so that the user's id names it. */
const isAlone = (user: string | null): boolean => user !== null && !USERS.includes(user);

const isTurnedAway = ({ error }: Operation): boolean => error === 'unauthenticated' || error === 'rate_limited';

/** Whether there is no answer, or one that asks to try again. */
const isVague = ({ status }: Operation): boolean => status === null || status >= 500;
