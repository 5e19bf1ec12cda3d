// Keys for a test, made as `npm run -s admin -- keys` makes them.

import { ApiKeys, type ApiKeyView, type IssuedKey, type KeyRequest } from '@app/keys';
import { createDataSource, PostgresApiKeyStore } from '@app/postgres';

export interface KeyMaker {
  /** All scopes and all pools, unless something else is said. */
  create(request?: Partial<KeyRequest>): Promise<IssuedKey>;
  rotate(id: string, oldForSeconds: number): Promise<IssuedKey>;
  revoke(id: string): Promise<ApiKeyView>;
  close(): Promise<void>;
}

export async function openKeys(databaseUrl: string): Promise<KeyMaker> {
  const source = await createDataSource(databaseUrl, { poolSize: 1 }).initialize();
  const keys = new ApiKeys(new PostgresApiKeyStore(source));
  const all = { name: 'test', scopes: ['read', 'use', 'operate', 'pools', 'keys', 'metrics'], pools: null } as const;
  return {
    create: (request) => keys.create({ ...all, ...request }, null),
    rotate: (id, oldForSeconds) => keys.rotate(id, oldForSeconds, null),
    revoke: (id) => keys.revoke(id, null),
    close: () => source.destroy(),
  };
}

/** The header that carries a key. */
export const bearer = (key: string): { authorization: string } => ({ authorization: `Bearer ${key}` });
