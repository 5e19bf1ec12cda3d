// Answers kept for requests that carry an idempotency key: written in the transaction of the effect, so that a
// request that is sent again, to whatever process, gets the first one's answer instead of a second effect.

import { DomainError } from '../kernel/domain-error.js';

/** What a caller gives so that the request may be repeated. The key counts within one pool and use case. */
export interface Idempotency {
  readonly key: string;
  /** Tells the request from another one of the same key: a hash over all that it asks for. */
  readonly fingerprint: string;
  /** Called after the commit when the answer is an earlier one. */
  readonly onReplay: () => void;
}

/** Under what an answer is kept in its pool. */
export interface AnswerName {
  /** The use case, whatever the route it was asked by. */
  readonly useCase: string;
  readonly key: string;
}

export interface KeptAnswer extends AnswerName {
  readonly fingerprint: string;
  /** What the use case answered, as JSON has it. */
  readonly value: unknown;
}

/** How long an answer is kept, in hours. */
export const ANSWERS_ARE_KEPT_HOURS = 24;

export class AnswerBook {
  /** Answers to be kept with the other changes. */
  readonly added: KeptAnswer[] = [];

  /** @param kept those among the named ones that are there */
  constructor(private readonly kept: readonly KeptAnswer[] = []) {}

  /**
   * The earlier answer to the same request.
   * @throws DomainError `idempotency_key_reused` when the key was used for another one
   */
  find({ useCase, key }: AnswerName, { fingerprint }: Idempotency): KeptAnswer | undefined {
    const earlier = [...this.kept, ...this.added].find((answer) => answer.useCase === useCase && answer.key === key);
    if (earlier && earlier.fingerprint !== fingerprint) {
      throw new DomainError('idempotency_key_reused', 'the idempotency key was used for another request');
    }
    return earlier;
  }

  /** Only what had an effect is kept: what was refused may do better when it is asked for again. */
  keep(name: AnswerName, { fingerprint }: Idempotency, value: unknown): void {
    this.added.push({ ...name, fingerprint, value });
  }

  /** Returns the function that forgets every answer added since. */
  savepoint(): () => void {
    const { length } = this.added;
    return () => {
      this.added.length = length;
    };
  }
}
