// A clock that was ahead and came back: what is said of it.

import { startAppOn } from './support/app.js';
import { clientOf } from './http/client.js';
import { installClock } from './support/clock.js';
import { createTestDatabase } from './support/database.js';

test('a pool in which time stands still, as the clock came back, shows in the metrics and in readiness', async () => {
  const database = await createTestDatabase();
  const clock = await installClock(database.url);
  const app = await startAppOn(database.url);
  const ask = clientOf(app);
  const behind = async (): Promise<number> =>
    Number(
      /^token_pool_clock_behind_seconds\{pool="default"\} (\S+)$/m.exec(
        (await ask('GET', '/metrics')).body as string,
      )?.[1],
    );
  try {
    expect([await behind(), (await ask('GET', '/health/ready')).body]).toEqual([0, { status: 'ok' }]);
    await clock.advance(86_400);
    expect((await ask('POST', '/api/tokens/allocate', {})).status).toBe(200);
    await clock.advance(-86_400);
    expect(await behind()).toBeGreaterThan(86_000);
    let ready = await ask('GET', '/health/ready');
    while (ready.body.warning === undefined) ready = await ask('GET', '/health/ready');
    expect(ready).toMatchObject({
      status: 200,
      body: { status: 'ok', warning: expect.stringMatching(/clock is 86\d{3} s behind/) },
    });
  } finally {
    await app.close();
    await database.drop();
  }
});
