// Keeps keys in PostgreSQL. Each method runs one statement, except that list first checks its cursor.

import type { DataSource } from 'typeorm';
import {
  ApiKeyStore,
  SCOPES,
  type ApiKeyPage,
  type ApiKeyView,
  type KeyQuery,
  type NewKey,
  type Rotation,
  type StoredKey,
} from '@app/keys';
import { positionUnknown } from '@app/tokens';
import { texts } from '../connection/array-parameter.js';
import { readCursor, writeCursor } from '../reading/cursor.js';
import { Database } from '../connection/database.js';
import { ADD_KEY, FIND_KEY, KEY_EXISTS, LIST_KEYS, NOTE_USE, REVOKE_KEY, ROTATE_KEY } from './key-statements.js';

interface FoundRow extends ApiKeyView {
  readonly secret_hash: Buffer;
  readonly old_secret_hash: Buffer | null;
  readonly old_good_for_ms: number;
  readonly good_for_ms: number;
}

export class PostgresApiKeyStore extends ApiKeyStore {
  readonly #database: Database;

  constructor(source: DataSource) {
    super();
    this.#database = new Database(source);
  }

  async add({ id, name, scopes, pools, secretHash, createdBy, expires_at }: NewKey): Promise<ApiKeyView | undefined> {
    const rights = [texts(scopes), pools && texts(pools)];
    const values = [id, name, ...rights, bytes(secretHash), createdBy, expires_at];
    return (await this.#database.read<ApiKeyView>(ADD_KEY, values))[0];
  }

  async find(id: string): Promise<StoredKey | undefined> {
    const [row] = await this.#database.read<FoundRow>(FIND_KEY, [id]);
    if (!row) return undefined;
    const { secret_hash: secretHash, old_secret_hash: oldHash, old_good_for_ms, good_for_ms, ...view } = row;
    const old = oldHash && { secretHash: oldHash, goodForMs: old_good_for_ms };
    return { view, secretHash, goodForMs: good_for_ms, old };
  }

  async list({ within, limit, cursor }: KeyQuery): Promise<ApiKeyPage> {
    const { scopes = SCOPES, pools = null, expires_at = null } = within ?? {};
    const after = readCursor('keys', cursor);
    const bounds = [texts(scopes), pools && texts([...pools]), expires_at];
    // Keys are never deleted, so an id that does not exist comes from another database, or from before a restore.
    if (after !== undefined && (await this.#database.read(KEY_EXISTS, [after, ...bounds])).length === 0)
      throw positionUnknown('the cursor', 'without it', {});
    const rows = await this.#database.read<ApiKeyView>(LIST_KEYS, [limit + 1, after ?? '', ...bounds]);
    const keys = rows.slice(0, limit);
    return { keys, next_cursor: rows.length > limit ? writeCursor('keys', keys.at(-1)!.id) : null };
  }

  async rotate(id: string, { secretHash, oldGoodForSeconds, by }: Rotation): Promise<ApiKeyView | undefined> {
    const values = [id, bytes(secretHash), oldGoodForSeconds, by];
    return (await this.#database.read<ApiKeyView>(ROTATE_KEY, values))[0];
  }

  async revoke(id: string, by: string | null): Promise<ApiKeyView | undefined> {
    return (await this.#database.read<ApiKeyView>(REVOKE_KEY, [id, by]))[0];
  }

  async noteUse(ids: readonly string[]): Promise<void> {
    await this.#database.run(NOTE_USE, [texts(ids)]);
  }
}

const bytes = (buffer: Buffer): string => `\\x${buffer.toString('hex')}`;
