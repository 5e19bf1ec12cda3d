// Checks the hashes of a pool's feed, and names the first event that does not fit.

import type { ChainPoint } from './checkpoint.js';
import { CHAIN_BEGINS, nextHash } from './event-chain.js';
import { nameOf } from './findings.js';
import type { RecordedEventView, StoredPoolView } from '../reading/views.js';

/** The fields of the pool's row that say where its chain begins and ends, and with which hash. */
export type ChainHead = Pick<StoredPoolView, 'chained_after' | 'hashed_seq' | 'last_hash'>;

export class ChainAuditor {
  readonly findings: string[] = [];
  #hash: string = CHAIN_BEGINS;
  #isBroken = false;
  #reaches = 0;

  /**
   * @param expected the hash of an event that a checkpoint contains
   * @param begins the last dropped event; left out when none were dropped
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

  /**
   * Takes over a newer row of the pool, whose chain may only grow. Must be called before `add` with the events since.
   */
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
    // The event is older than the chain.
    if (event.seq <= this.head.chained_after) return;
    const hash = nextHash(this.#hash, event);
    // An event of the previous version has no hash, but the next hash covers it nevertheless.
    if (event.hash !== null && event.hash !== hash) {
      this.#find(`${nameOf(event)}: it, or what is before it, was changed: its hash is another`);
      this.#hash = event.hash;
    } else {
      this.#hash = hash;
    }
    this.#expectPoints(event.seq, nameOf(event));
  }

  /** Must be called once, after the last event. */
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
      this.#find(`${which}: its hash is not that of the checkpoint: the history was rewritten`);
    }
    if (seq === this.head.hashed_seq && this.#hash !== (this.head.last_hash ?? CHAIN_BEGINS)) {
      this.#find(`${which}: its hash is not the one that the pool goes on from`);
    }
  }

  /** Keeps only the first finding, because the later ones follow from it. */
  #find(what: string): void {
    if (!this.#isBroken) this.findings.push(what);
    this.#isBroken = true;
  }
}
