// Encrypts all secrets with the first key of SECRETS_KEY, so that an older key can be left out afterwards.

import type { DataSource } from 'typeorm';
import { SealedSecret, type SecretBox } from '@app/tokens';
import { uuids, words } from '../connection/array-parameter.js';
import { Database } from '../connection/database.js';
import { POOL_NAMES } from '../schema/statements.js';
import { RESEAL_SECRETS, SEALED_SECRETS } from './statements.js';

const AT_ONCE = 1000;
const NIL_UUID = '00000000-0000-0000-0000-000000000000';

interface Row {
  readonly tokenId: string;
  readonly sealed: string;
}

export interface Rotation {
  /** The number of secrets, and how many of them another key had encrypted. */
  readonly secrets: number;
  readonly rotated: number;
}

/**
 * Works while the service runs, because a secret that somebody changes meanwhile is encrypted with the first key
 * already. It may be run again, also after it failed half-way.
 * @throws DomainError `unavailable` if no key opens a secret; DatabaseFailure
 */
export async function rotateSecrets(source: DataSource, box: SecretBox): Promise<Rotation> {
  const database = new Database(source);
  let [secrets, rotated] = [0, 0];
  for (const { name } of await database.read<{ name: string }>(POOL_NAMES, [])) {
    for (let rows: Row[] | undefined; rows === undefined || rows.length === AT_ONCE;) {
      rows = await database.read<Row>(SEALED_SECRETS, [name, rows?.at(-1)?.tokenId ?? NIL_UUID, AT_ONCE]);
      secrets += rows.length;
      rotated += await reseal(database, box, name, rows);
    }
  }
  return { secrets, rotated };
}

async function reseal(database: Database, box: SecretBox, pool: string, rows: readonly Row[]): Promise<number> {
  const resealed = rows.flatMap(({ tokenId, sealed }) => {
    const anew = box.reseal(pool, tokenId, new SealedSecret(Buffer.from(sealed, 'hex')));
    return anew ? { tokenId, sealed, anew: anew.bytes.toString('hex') } : [];
  });
  if (resealed.length === 0) return 0;
  await database.run(RESEAL_SECRETS, [
    pool,
    uuids(resealed.map(({ tokenId }) => tokenId)),
    words(resealed.map(({ sealed }) => sealed)),
    words(resealed.map(({ anew }) => anew)),
  ]);
  return resealed.length;
}
