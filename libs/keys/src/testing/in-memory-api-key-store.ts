// A store of keys in memory, with a clock that the test sets.

import type { ApiKeyPage, ApiKeyView } from '../api-key.js';
import { ApiKeyStore, type KeyQuery, type NewKey, type Rotation, type StoredKey } from '../api-key-store.js';
import { excess } from '../rights.js';

interface Row {
  view: ApiKeyView;
  secretHash: Buffer;
  oldHash: Buffer | null;
}

export class InMemoryApiKeyStore extends ApiKeyStore {
  readonly #rows = new Map<string, Row>();
  /** The number of calls of `find`. */
  found = 0;
  /** The ids of each call of `noteUse`. */
  readonly noted: string[][] = [];
  /** What most methods throw; null if they work. */
  failure: Error | null = null;

  /** @param clock in milliseconds since the epoch */
  constructor(private readonly clock: () => number) {
    super();
  }

  async add({ secretHash, createdBy, ...key }: NewKey): Promise<ApiKeyView | undefined> {
    this.#mayFail();
    if (key.expires_at !== null && Date.parse(key.expires_at) <= this.clock()) return undefined;
    const never = { revoked_at: null, revoked_by: null, rotated_at: null, rotated_by: null };
    const unset = { ...never, last_used_at: null, old_secret_until: null };
    const view = { ...key, ...unset, created_at: this.#at(0), created_by: createdBy };
    this.#rows.set(key.id, { view, secretHash, oldHash: null });
    return view;
  }

  async find(id: string): Promise<StoredKey | undefined> {
    this.found++;
    this.#mayFail();
    const row = this.#rows.get(id);
    if (!row) return undefined;
    const { view, secretHash, oldHash } = row;
    const goodForMs = view.revoked_at === null ? this.#left(view.expires_at) : 0;
    const old = oldHash && { secretHash: oldHash, goodForMs: this.#left(view.old_secret_until) };
    return { view, secretHash, goodForMs, old };
  }

  async list({ within, limit, cursor = '' }: KeyQuery): Promise<ApiKeyPage> {
    const all = [...this.#rows.values()].map(({ view }) => view).sort((a, b) => (a.id < b.id ? -1 : 1));
    const listed = all.filter((view) => view.id > cursor && (within === null || excess(view, within) === null));
    const keys = listed.slice(0, limit);
    return { keys, next_cursor: listed.length > limit ? keys.at(-1)!.id : null };
  }

  async rotate(id: string, { secretHash, oldGoodForSeconds, by }: Rotation): Promise<ApiKeyView | undefined> {
    const row = this.#rows.get(id);
    const stored = await this.find(id);
    if (!row || !stored || stored.goodForMs <= 0) return undefined;
    row.oldHash = row.secretHash;
    row.secretHash = secretHash;
    const old_secret_until = this.#at(oldGoodForSeconds * 1000);
    row.view = { ...row.view, old_secret_until, rotated_at: this.#at(0), rotated_by: by };
    return row.view;
  }

  async revoke(id: string, by: string | null): Promise<ApiKeyView | undefined> {
    const row = this.#rows.get(id);
    if (row?.view.revoked_at === null) row.view = { ...row.view, revoked_at: this.#at(0), revoked_by: by };
    return row?.view;
  }

  async noteUse(ids: readonly string[]): Promise<void> {
    this.#mayFail();
    this.noted.push([...ids]);
  }

  #at(inMs: number): string {
    return new Date(this.clock() + inMs).toISOString();
  }

  #left(until: string | null): number {
    return until === null ? Infinity : Math.max(0, Date.parse(until) - this.clock());
  }

  #mayFail(): void {
    if (this.failure) throw this.failure;
  }
}
