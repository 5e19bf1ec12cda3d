// The past that is made by SQL (past.ts) must be one that could have been: the service's own auditor reads a small one.

import { auditPool } from '@app/tokens';
import { withClient, type Cluster } from './cluster.js';
import { makePast } from './past.js';
import { openService } from './service.js';

const PAST = { pool: 'audited', tokens: 100, grants: 5000 };

/** @throws Error with the first finding */
export async function auditPast(cluster: Cluster): Promise<void> {
  const database = await cluster.createDatabase('audited');
  await withClient(database.url, (client) => makePast(client, PAST, () => undefined));
  const service = await openService(database.url);
  const [finding] = (await auditPool(service.reader, PAST.pool)).findings;
  await service.close();
  await database.drop();
  if (finding !== undefined) throw new Error(`the past that was made is none that could have been: ${finding}`);
}
