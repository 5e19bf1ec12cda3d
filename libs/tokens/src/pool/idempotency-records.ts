// The answers to requests that carried an idempotency key. The transaction of the effect writes them, so a repeated
// request gets the first answer from any process and has no second effect.

import { DomainError } from '../kernel/domain-error.js';

/** What a caller gives to make a request idempotent. The key counts within one pool and use case. */
export interface Idempotency {
  readonly key: string;
  /** A hash over everything that the request asks for, which tells it from another request with the same key. */
  readonly fingerprint: string;
  /** Called after the commit if the answer is that of an earlier request. */
  readonly onReplay: () => void;
}

/** What identifies a record in its pool. */
export interface IdempotencyRecordName {
  /** The use case, whatever route the request took. */
  readonly useCase: string;
  readonly key: string;
}

export interface IdempotencyRecord extends IdempotencyRecordName {
  readonly fingerprint: string;
  /** The answer of the use case, as JSON represents it. */
  readonly value: unknown;
}

/** How long the store keeps a record, in hours. */
export const IDEMPOTENCY_RECORD_HOURS = 24;

export class IdempotencyRecords {
  /** The records that the transaction must save. */
  readonly added: IdempotencyRecord[] = [];

  /** @param loaded those of the records that the commands named which the store has */
  constructor(private readonly loaded: readonly IdempotencyRecord[] = []) {}

  /**
   * The record of an earlier request that is the same; undefined when there is none.
   * @throws DomainError `idempotency_key_reused` when the key belongs to another request
   */
  find({ useCase, key }: IdempotencyRecordName, { fingerprint }: Idempotency): IdempotencyRecord | undefined {
    const earlier = [...this.loaded, ...this.added].find((record) => record.useCase === useCase && record.key === key);
    if (earlier && earlier.fingerprint !== fingerprint) {
      throw new DomainError('idempotency_key_reused', 'the idempotency key was used for another request');
    }
    return earlier;
  }

  /** Adds the record of a request that had an effect. A refused request gets none, because a retry may succeed. */
  add(name: IdempotencyRecordName, { fingerprint }: Idempotency, value: unknown): void {
    this.added.push({ ...name, fingerprint, value });
  }

  /** Returns a function that removes every record added later. */
  savepoint(): () => void {
    const { length } = this.added;
    return () => {
      this.added.length = length;
    };
  }
}
