// Tells whether a key that is shown is good. What the store said of it holds for some seconds, so that it is asked once
// for many requests, and what is revoked is revoked everywhere soon.

import { timingSafeEqual } from 'node:crypto';
import type { ApiKeyStore } from './api-key-store.js';
import { hashOf, readKey, type KeyParts } from './key-text.js';
import type { LiveKey } from './rights.js';

/** Half of what is promised: revoked everywhere within 5 s. */
const HOLDS_MS = 2500;
/** Keys remembered at a time; more than that are forgotten together. */
const REMEMBERED = 10_000;

interface Remembered {
  readonly key: LiveKey;
  readonly secretHash: Buffer;
  /** By the ring's clock. */
  readonly until: number;
  readonly old: { readonly secretHash: Buffer; readonly until: number } | null;
}

interface Look {
  /** By the ring's clock. */
  readonly asked: number;
  readonly found: Promise<Remembered | undefined>;
}

export class KeyRing {
  readonly #remembered = new Map<string, Remembered>();
  /** Ids of which the store knew no key that is good, and until when that holds. Apart, as whoever guesses makes many of them. */
  readonly #strangers = new Map<string, number>();
  readonly #looks = new Map<string, Look>();
  #used = new Set<string>();

  /** @param now monotonic, in milliseconds */
  constructor(
    private readonly store: ApiKeyStore,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** The key, if it was found good a moment ago. Asks nobody. */
  recall(text: string): LiveKey | null {
    const parts = readKey(text);
    return parts && this.#judged(parts, this.#fresh(parts.id));
  }

  /** Whether it was good when it was last looked at, however long ago that is. */
  wasGood(text: string): boolean {
    const parts = readKey(text);
    const remembered = parts && this.#remembered.get(parts.id);
    return remembered ? timingSafeEqual(hashOf(parts.secret), remembered.secretHash) : false;
  }

  /** The key, if it is good. @throws DomainError `unavailable` when that cannot be told */
  async check(text: string): Promise<LiveKey | null> {
    const parts = readKey(text);
    if (!parts || this.now() < (this.#strangers.get(parts.id) ?? 0)) return null;
    return this.#judged(parts, this.#fresh(parts.id) ?? (await this.#look(parts.id)));
  }

  /** Whether the key of that id is good still. @throws DomainError `unavailable` when that cannot be told */
  async isGood(id: string): Promise<boolean> {
    return (this.#fresh(id) ?? (await this.#look(id))) !== undefined;
  }

  /** What was changed by this process holds here at once. */
  forget(id: string): void {
    this.#remembered.delete(id);
    this.#strangers.delete(id);
  }

  /** Writes down which keys were used since the last time. @throws what the store throws; they are then kept for the next time */
  async noteUse(): Promise<void> {
    if (this.#used.size === 0) return;
    const used = this.#used;
    this.#used = new Set();
    try {
      await this.store.noteUse([...used]);
    } catch (error) {
      for (const id of used) this.#used.add(id);
      throw error;
    }
  }

  #judged({ id, secret }: KeyParts, remembered: Remembered | undefined): LiveKey | null {
    if (!remembered) return null;
    const { key, secretHash, old } = remembered;
    const hash = hashOf(secret);
    const isGood =
      timingSafeEqual(hash, secretHash) ||
      (old !== null && this.now() < old.until && timingSafeEqual(hash, old.secretHash));
    if (!isGood) return null;
    this.#used.add(id);
    return key;
  }

  #fresh(id: string): Remembered | undefined {
    const remembered = this.#remembered.get(id);
    return remembered && this.now() < remembered.until ? remembered : undefined;
  }

  /**
   * One look at a time for a key, however many ask. But one that takes long may have seen what was revoked since: after
   * some seconds nobody joins it any more.
   */
  #look(id: string): Promise<Remembered | undefined> {
    const under = this.#looks.get(id);
    if (under && this.now() < under.asked + HOLDS_MS) return under.found;
    const look: Look = {
      asked: this.now(),
      found: this.#lookOnce(id).finally(() => this.#looks.get(id) === look && this.#looks.delete(id)),
    };
    this.#looks.set(id, look);
    return look.found;
  }

  async #lookOnce(id: string): Promise<Remembered | undefined> {
    const asked = this.now();
    const stored = await this.store.find(id);
    if (this.#remembered.size >= REMEMBERED) this.#remembered.clear();
    if (!stored || stored.goodForMs <= 0) {
      this.#remembered.delete(id);
      if (this.#strangers.size >= REMEMBERED) this.#strangers.clear();
      this.#strangers.set(id, asked + HOLDS_MS);
      return undefined;
    }
    const { view, secretHash, old } = stored;
    const remembered = {
      key: { id, scopes: view.scopes, pools: view.pools && new Set(view.pools), expires_at: view.expires_at },
      secretHash,
      // From when it was asked on: what is revoked meanwhile may not be in the answer.
      until: asked + Math.min(HOLDS_MS, stored.goodForMs),
      old: old && { secretHash: old.secretHash, until: asked + old.goodForMs },
    };
    this.#remembered.set(id, remembered);
    return remembered;
  }
}
