// A new installation: PostgreSQL knows nothing about the tables yet, and must not plan as if they stayed empty.

import { createTestDatabase } from '../support/database.js';
import { audit } from '../support/service.js';
import { openService } from '../../tools/harness/service.js';

test('a large pool is made and used at once on a fresh database', async () => {
  const database = await createTestDatabase();
  const process = await openService(database.url);
  const { service, readers } = process;
  const { counts } = await service.createPool('large', 'fixed', { size: 20_000 });
  expect(counts).toEqual({ total: 20_000, available: 20_000, active: 0 });
  const started = performance.now();
  await Promise.all(
    Array.from({ length: 500 }, () => service.allocate('large', { userId: 'c0ffee00-0000-4000-8000-000000000001' })),
  );
  // Three batches; where each looked at the whole pool for each of its tokens, they took a minute.
  expect(performance.now() - started).toBeLessThan(5000);
  expect(await audit(readers, 'large')).toEqual([]);
  await process.close();
  await database.drop();
});
