// The callers of a run: all without a key, or several keys, one of which is revoked and replaced all the time.

import { setTimeout as sleep } from 'node:timers/promises';
import { ApiKeys, type KeyRequest } from '@app/keys';
import { createDataSource, PostgresApiKeyStore } from '@app/postgres';
import type { KeyHolder, HistoryWriter } from '../history.js';
import type { Random } from '../../harness/random.js';
import { ask } from '../../harness/ask.js';
import { WITHOUT_KEY, type Caller } from './caller.js';
import { isOk, type Recorder, type Target } from './recorder.js';

const OPERATOR = ['read', 'use', 'operate', 'pools', 'keys', 'metrics'] as const;
const USER = ['read', 'use'] as const;
/** As many clients have a key that may operate as have a key that will be revoked. */
const LASTING = [OPERATOR, OPERATOR, USER, USER, USER];

/** How long a passing key is valid, in milliseconds, and how long clients use it after the answer to its revocation. */
const GOOD_MS = [500, 4000] as const;
const SHOWN_MS = 7000;
const AGAIN_MS = 200;

export class Callers {
  #passing: Caller | null = null;

  private constructor(
    /** The callers whose keys are never revoked. */
    readonly lasting: readonly [Caller, ...Caller[]],
  ) {}

  static readonly none = new Callers([WITHOUT_KEY]);

  /** Creates keys as `npm run -s admin -- keys` does. */
  static async withKeys(databaseUrl: string): Promise<Callers> {
    const source = await createDataSource(databaseUrl, { poolSize: 1 }).initialize();
    try {
      const keys = new ApiKeys(new PostgresApiKeyStore(source));
      const lasting: Caller[] = [];
      for (const scopes of LASTING) lasting.push(holderOf(await keys.create(request(scopes), null), lasting.length));
      return new Callers(lasting as [Caller, ...Caller[]]);
    } finally {
      await source.destroy();
    }
  }

  /** A caller with all scopes. */
  get operator(): Caller {
    return this.lasting[0];
  }

  /** @returns the caller of the client with this number; each sixth client has the current passing key */
  of(client: number): () => Caller {
    const caller = this.lasting[client % (this.lasting.length + 1)];
    return () => caller ?? this.#passing ?? this.operator;
  }

  /** Issues a key and revokes it through any process that answers; its clients use it for a while longer. */
  async comeAndGo(
    targets: readonly Target[],
    recorder: Recorder,
    history: HistoryWriter,
    random: Random,
    isOver: () => boolean,
  ): Promise<void> {
    if (this.operator.key === null) return;
    for (let count = 1; !isOver(); count++) {
      const caller = await this.#newKey(targets, random, count, isOver);
      if (!caller) return;
      history.write(keyHolder(caller));
      this.#passing = caller;
      await sleepUnless(isOver, random.between(...GOOD_MS));
      for (let time = 1, isRevoked = false; !isRevoked && !isOver(); time++) {
        const call = { do: 'revoke', key: caller.key as string } as const;
        isRevoked = isOk(await recorder.perform(random.pick(targets), `revoke-${count}-${time}`, '', call));
        if (!isRevoked) await sleep(AGAIN_MS);
      }
      await sleepUnless(isOver, SHOWN_MS);
    }
  }

  async #newKey(
    targets: readonly Target[],
    random: Random,
    count: number,
    isOver: () => boolean,
  ): Promise<Caller | undefined> {
    while (!isOver()) {
      const { headers } = this.operator;
      const asked = { method: 'POST', path: '/api/keys', body: request(USER), headers };
      const { status, body } = await ask(random.pick(targets).port, asked);
      if (status === 201) return holderOf(body as unknown as Issued, LASTING.length + count);
      await sleep(AGAIN_MS);
    }
    return undefined;
  }
}

interface Issued {
  readonly id: string;
  readonly key: string;
  readonly scopes: readonly string[];
}

const request = (scopes: readonly KeyRequest['scopes'][number][]): KeyRequest => ({
  name: 'chaos',
  scopes,
  pools: null,
});

/** Each caller has its own address, as behind a proxy, so that failed attempts of one do not slow down the others. */
const holderOf = ({ id, key, scopes }: Issued, number: number): Caller => ({
  key: id,
  mayOperate: scopes.includes('operate'),
  headers: { authorization: `Bearer ${key}`, 'x-forwarded-for': `10.0.${number >> 8}.${number & 255}` },
});

export const keyHolder = ({ key, mayOperate }: Caller): KeyHolder => ({
  kind: 'key',
  id: key as string,
  mayOperate,
});

async function sleepUnless(isOver: () => boolean, ms: number): Promise<void> {
  for (const until = performance.now() + ms; !isOver() && performance.now() < until;) await sleep(50);
}
