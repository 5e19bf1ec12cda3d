// The findings of an audit, in words. It counts all and keeps the first ones, because a broken pool may have millions.

import type { StoredEventView } from '../reading/views.js';

/** The number of findings that one audit keeps. */
export const FINDINGS_KEPT = 1000;

export class Findings {
  /** The first findings, in their order. */
  readonly kept: string[] = [];
  #count = 0;

  constructor(private readonly most = Infinity) {}

  /** The number of all findings, kept or not. */
  get count(): number {
    return this.#count;
  }

  add(what: string): void {
    this.#count++;
    if (this.kept.length < this.most) this.kept.push(what);
  }

  addAll({ kept, count }: Findings): void {
    kept.forEach((what) => this.add(what));
    this.#count += count - kept.length;
  }
}

/** Names an event in a finding. */
export const nameOf = ({ seq, event, token_id }: Pick<StoredEventView, 'seq' | 'event' | 'token_id'>): string =>
  `seq ${seq} (${event}${token_id === null ? '' : ` ${token_id}`})`;
