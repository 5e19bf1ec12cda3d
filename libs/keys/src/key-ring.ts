// Checks keys. It remembers what the store answers for some seconds: one query serves many requests, and a revocation
// takes effect in every process soon.

import { timingSafeEqual } from 'node:crypto';
import type { ApiKeyStore } from './api-key-store.js';
import { hashOf, readKey, type KeyParts } from './key-text.js';
import type { LiveKey } from './rights.js';

/** Half of the promised time: a revocation takes effect everywhere within 5 s. */
const HOLDS_MS = 2500;
/** The most keys in memory. When there are more, the ring forgets all of them at once. */
const REMEMBERED = 10_000;

interface Remembered {
  readonly key: LiveKey;
  readonly secretHash: Buffer;
  /** In milliseconds by the ring's clock. */
  readonly until: number;
  readonly old: { readonly secretHash: Buffer; readonly until: number } | null;
}

interface Look {
  /** When the query began, in milliseconds by the ring's clock. */
  readonly asked: number;
  readonly found: Promise<Remembered | undefined>;
}

export class KeyRing {
  readonly #remembered = new Map<string, Remembered>();
  /** Ids without a valid key, and until when that holds. They have their own map, because guesses make many of them. */
  readonly #strangers = new Map<string, number>();
  readonly #looks = new Map<string, Look>();
  #used = new Set<string>();

  /** @param now a monotonic clock, in milliseconds */
  constructor(
    private readonly store: ApiKeyStore,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** The key, if the ring remembers it as valid. Never queries the store. */
  recall(text: string): LiveKey | null {
    const parts = readKey(text);
    return parts && this.#judged(parts, this.#fresh(parts.id));
  }

  /** Whether the key was valid at its last check, however long ago. */
  wasGood(text: string): boolean {
    const parts = readKey(text);
    const remembered = parts && this.#remembered.get(parts.id);
    return remembered ? timingSafeEqual(hashOf(parts.secret), remembered.secretHash) : false;
  }

  /**
   * The key, if it is valid; null otherwise.
   * @throws DomainError `unavailable` if the store cannot be reached
   */
  async check(text: string): Promise<LiveKey | null> {
    const parts = readKey(text);
    if (!parts || this.now() < (this.#strangers.get(parts.id) ?? 0)) return null;
    return this.#judged(parts, this.#fresh(parts.id) ?? (await this.#look(parts.id)));
  }

  /**
   * Whether the key with this id is still valid.
   * @throws DomainError `unavailable` if the store cannot be reached
   */
  async isGood(id: string): Promise<boolean> {
    return (this.#fresh(id) ?? (await this.#look(id))) !== undefined;
  }

  /** Forgets a key that this process has changed, so that the change takes effect here at once. */
  forget(id: string): void {
    this.#remembered.delete(id);
    this.#strangers.delete(id);
  }

  /**
   * Stores which keys were used since the last call.
   * @throws what the store throws; the next call stores these keys again
   */
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
   * Queries the store once for all concurrent requests with the same key. A slow query may return a key that has been
   * revoked since, so after some seconds a request starts a new one.
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
      // The time counts from the start of the query, because the result may miss a later revocation.
      until: asked + Math.min(HOLDS_MS, stored.goodForMs),
      old: old && { secretHash: old.secretHash, until: asked + old.goodForMs },
    };
    this.#remembered.set(id, remembered);
    return remembered;
  }
}
