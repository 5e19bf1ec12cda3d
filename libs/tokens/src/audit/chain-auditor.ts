// Follows the hashes of a pool's feed, and names the first event that does not fit.

import type { ChainPoint } from './checkpoint.js';
import { CHAIN_BEGINS, nextHash } from './event-chain.js';
import type { RecordedEventView, StoredPoolView } from '../reading/views.js';

/** Of the pool's row: where its chain begins, and how far and to which hash it goes. */
export type ChainHead = Pick<StoredPoolView, 'chained_after' | 'hashed_seq' | 'last_hash'>;

export class ChainAuditor {
  readonly findings: string[] = [];
  #hash: string = CHAIN_BEGINS;
  #isBroken = false;
  #reaches = 0;

  /**
   * @param expected what the hash of an event was once, as a checkpoint says
   * @param begins the last event that is not there any more
   */
  constructor(
    private head: ChainHead,
    private readonly expected?: ChainPoint,
    private readonly begins: Omit<ChainPoint, 'pool'> = { seq: 0, hash: CHAIN_BEGINS },
  ) {
    this.#hash = begins.hash;
    this.#reaches = begins.seq;
    if (begins.seq > 0) this.#expectPoints(begins.seq, `seq ${begins.seq} (the last one that was dropped)`);
  }

  /** The hash after the last event that was added. */
  get hash(): string {
    return this.#hash;
  }

  /** What the pool's row says by now, before the events since then are added: its chain only grows. */
  goOn(head: ChainHead): void {
    const before = this.head;
    this.head = head;
    if (
      head.hashed_seq === before.hashed_seq ? head.last_hash !== before.last_hash : head.hashed_seq <= this.#reaches
    ) {
      this.#find(`seq ${head.hashed_seq}: the pool's chain of hashes was set back to it while it was read`);
    }
  }

  /** The next event of the feed. */
  add(event: RecordedEventView): void {
    this.#reaches = event.seq;
    // From before there was a chain.
    if (event.seq <= this.head.chained_after) return;
    const hash = nextHash(this.#hash, event);
    // One of the version before carries none: the next hash covers it all the same.
    if (event.hash !== null && event.hash !== hash) {
      this.#find(
        `seq ${event.seq} (${event.event} ${event.token_id}): it, or what is before it, was changed: its hash is another`,
      );
      this.#hash = event.hash;
    } else {
      this.#hash = hash;
    }
    this.#expectPoints(event.seq, `seq ${event.seq} (${event.event} ${event.token_id})`);
  }

  /** To be called after the last event. */
  finish(): string[] {
    if (this.#reaches < this.head.hashed_seq) {
      this.#find(
        `seq ${this.#reaches + 1}: the chain of hashes goes up to seq ${this.head.hashed_seq}, the feed does not`,
      );
    }
    if (this.expected && this.#reaches < this.expected.seq) {
      this.#find(`seq ${this.#reaches + 1}: the checkpoint goes up to seq ${this.expected.seq}, the feed does not`);
    }
    if (this.expected && this.expected.seq < this.begins.seq) {
      this.#find(
        `the checkpoint is of seq ${this.expected.seq}, and the events up to seq ${this.begins.seq} were dropped: take a later one`,
      );
    }
    return this.findings;
  }

  #expectPoints(seq: number, which: string): void {
    if (seq === this.expected?.seq && this.#hash !== this.expected.hash) {
      this.#find(`${which}: its hash is not that of the checkpoint: the history was made anew`);
    }
    if (seq === this.head.hashed_seq && this.#hash !== (this.head.last_hash ?? CHAIN_BEGINS)) {
      this.#find(`${which}: its hash is not the one that the pool goes on from`);
    }
  }

  /** Only the first: what comes after it follows from it. */
  #find(what: string): void {
    if (!this.#isBroken) this.findings.push(what);
    this.#isBroken = true;
  }
}
