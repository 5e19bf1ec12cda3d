// The use cases of keys. A key issues, lists, rotates and revokes only keys that may do no more than itself; otherwise
// it could gain the rights of a stronger key by its secret. To rotate a key of another issuer takes `operate`, too.

import { DomainError, instantOf, POOL_NAME } from '@app/tokens';
import type { ApiKeyPage, ApiKeyView, IssuedKey } from './api-key.js';
import type { ApiKeyStore } from './api-key-store.js';
import { isSeen } from './hidden-characters.js';
import { hashOf, keyText, newKeyId, newSecret } from './key-text.js';
import { excess, type LiveKey, type Rights } from './rights.js';
import { SCOPES } from './scope.js';

export interface KeyRequest extends Omit<Rights, 'expires_at'> {
  readonly name: string;
  /** RFC 3339 in UTC; null: never. By default the new key ends with its issuer. */
  readonly expires_at?: string | null;
}

/** How long the secret before a rotation stays valid by default: long enough to distribute the new one. */
export const OLD_SECRET_SECONDS = 86_400;
export const MAX_OLD_SECRET_SECONDS = 2_592_000;

const MAX_NAME_LENGTH = 200;

/** The key that sends a request; null: the command line, which has the database and so all rights. */
type Issuer = LiveKey | null;

export class ApiKeys {
  constructor(private readonly store: ApiKeyStore) {}

  /**
   * Issues a key.
   * @throws DomainError `insufficient_scope`, `invalid_request`, `unavailable`
   */
  async create({ name, scopes, pools, ...given }: KeyRequest, issuer: Issuer): Promise<IssuedKey> {
    const { expires_at = issuer?.expires_at ?? null } = given;
    const rights = { scopes: SCOPES.filter((one) => scopes.includes(one)), pools: sorted(pools), expires_at };
    mustBeSound(name, rights);
    const beyond = issuer && excess(rights, issuer);
    if (beyond !== null) throw new DomainError('insufficient_scope', `a key cannot give away ${beyond}: it lacks it`);
    const parts = { id: newKeyId(), secret: newSecret() };
    const secretHash = hashOf(parts.secret);
    const view = await this.store.add({ ...rights, id: parts.id, name, secretHash, createdBy: issuer?.id ?? null });
    if (!view) throw new DomainError('invalid_request', 'expires_at must be a time to come');
    return { ...view, key: keyText(parts) };
  }

  /**
   * Lists the keys that may do no more than the issuer, by id.
   * @throws DomainError `invalid_request` for a malformed cursor, `position_unknown` for one of another database,
   *   `unavailable`
   */
  list(page: { readonly limit: number; readonly cursor?: string }, issuer: Issuer): Promise<ApiKeyPage> {
    return this.store.list({ ...page, within: issuer });
  }

  /**
   * Replaces the secret. The one before stays valid for `oldGoodForSeconds`, so that its holders can switch one by one;
   * a still older one ends at once.
   * @throws DomainError `key_not_found`, also for a key that has expired or is revoked; `insufficient_scope`;
   *   `unavailable`
   */
  async rotate(id: string, oldGoodForSeconds: number, issuer: Issuer): Promise<IssuedKey> {
    mayBecome(await this.#within(id, issuer), issuer);
    const secret = newSecret();
    const view = await this.store.rotate(id, { secretHash: hashOf(secret), oldGoodForSeconds, by: issuer?.id ?? null });
    if (!view) throw new DomainError('key_not_found', `key ${id} is over: there is nothing to rotate`);
    return { ...view, key: keyText({ id, secret }) };
  }

  /**
   * Revokes a key for ever, with both of its secrets.
   * @throws DomainError `key_not_found`, `unavailable`
   */
  async revoke(id: string, issuer: Issuer): Promise<ApiKeyView> {
    await this.#within(id, issuer);
    return (await this.store.revoke(id, issuer?.id ?? null)) ?? notFound(id);
  }

  async #within(id: string, issuer: Issuer): Promise<ApiKeyView> {
    const stored = await this.store.find(id);
    if (!stored || (issuer && excess(stored.view, issuer) !== null)) notFound(id);
    return stored.view;
  }
}

/**
 * Checks that the issuer may learn a key's new secret, which gives access to the leases of that key, a right beyond all
 * scopes. `operate` includes that right, and an issuer knew the secrets of its own keys from the start. It may rotate a
 * key further down only with the secret of the key in between, so that the audit shows each step.
 */
function mayBecome({ id, created_by }: ApiKeyView, issuer: Issuer): void {
  if (issuer === null || issuer.id === id || issuer.id === created_by || issuer.scopes.includes('operate')) return;
  const detail = `this key lacks the scope operate, which it takes to rotate ${id}, a key that another key gave`;
  throw new DomainError('insufficient_scope', detail);
}

function mustBeSound(name: string, { scopes, pools, expires_at }: Rights): void {
  if ([...name].length > MAX_NAME_LENGTH || !isSeen(name)) {
    const what = 'characters on one line that are seen, without those of control or format';
    throw new DomainError('invalid_request', `name must be 1 to ${MAX_NAME_LENGTH} ${what}`);
  }
  if (scopes.length === 0) throw new DomainError('invalid_request', `scopes must name some of ${SCOPES.join(', ')}`);
  if (pools?.length === 0) throw new DomainError('invalid_request', 'pools must name one at least, or be null for all');
  if (expires_at !== null && instantOf(expires_at, 9) === null) {
    throw new DomainError('invalid_request', 'expires_at must be a time such as 2027-01-01T00:00:00Z');
  }
  const bad = pools?.find((pool) => !POOL_NAME.test(pool));
  if (bad !== undefined)
    throw new DomainError('invalid_request', `the name of each pool must match ${POOL_NAME.source}`);
}

const sorted = (names: readonly string[] | null): string[] | null => names && [...new Set(names)].sort();

function notFound(id: string): never {
  throw new DomainError('key_not_found', `there is no key ${id}`);
}
