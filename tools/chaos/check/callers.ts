// What the history says of callers: whether they may operate, which leases they see, and when their keys are revoked.

import { maySee } from '@app/tokens';
import type { History, Operation } from '../history.js';
import { isOk, isRefused } from '../load/recorder.js';

interface Revocation {
  /** When the first revocation was sent that may have had an effect. */
  readonly sent: number;
  /** Infinity without an answer. */
  readonly answered: number;
}

type By = Operation['by'];

export class Callers {
  readonly #operators: ReadonlySet<string>;
  readonly #revocations = new Map<string, Revocation>();

  constructor({ keys = [], operations }: Pick<History, 'keys' | 'operations'>) {
    this.#operators = new Set(keys.filter(({ mayOperate }) => mayOperate).map(({ id }) => id));
    for (const operation of operations) {
      const { call, sent, answered } = operation;
      if (call.do !== 'revoke' || isRefused(operation)) continue;
      const before = this.#revocations.get(call.key);
      const answeredNow = isOk(operation) ? answered : Infinity;
      this.#revocations.set(call.key, {
        sent: Math.min(sent, before?.sent ?? Infinity),
        answered: Math.min(answeredNow, before?.answered ?? Infinity),
      });
    }
  }

  get revoked(): ReadonlyMap<string, Revocation> {
    return this.#revocations;
  }

  mayOperate(by: By): boolean {
    return by === undefined || this.#operators.has(by);
  }

  /** Whether the caller may see a lease that the key `keyId` took. */
  sees(by: By, keyId: string | null): boolean {
    return maySee({ keyId: by ?? null, mayOperate: this.mayOperate(by) }, keyId);
  }
}
