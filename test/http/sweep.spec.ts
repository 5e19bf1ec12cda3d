// The sweep writes down what the clock has decided, again and again, and outlives its failures.

import { Writable } from 'node:stream';
import { Client } from 'pg';
import { jsonLogger } from '../../apps/api/src/logger.js';
import { startApp } from '../support/app.js';
import { until } from '../support/waiting.js';
import { clientOf, type Json } from './client.js';

test('the sweep writes the events of leases that have ended, with their deadlines', async () => {
  const app = await startApp({ POOL_SIZE: '2', TOKEN_TTL_SECONDS: '0.05', SWEEP_INTERVAL_MS: '5' });
  const ask = clientOf(app);
  const { body: grant } = await ask('POST', '/api/tokens/allocate');
  let events: Json[] = [];
  while (events.length < 4) events = (await ask('GET', '/api/pools/default/events')).body.events;
  expect(events[3]).toMatchObject({
    event: 'expired',
    reason: 'ttl_expired',
    token_id: grant.token_id,
    user_id: grant.user_id,
    fence: 1,
    occurred_at: grant.expires_at,
  });
  await app.close();
});

test('the sweep deletes tokens of an elastic pool that nobody has used for too long', async () => {
  const app = await startApp({ POOL_SIZE: '1', ELASTIC_IDLE_TTL_SECONDS: '0.05', SWEEP_INTERVAL_MS: '5' });
  const ask = clientOf(app);
  await ask('POST', '/generate-token');
  let events: Json[] = [];
  while (events.length < 2) events = (await ask('GET', '/api/pools/elastic/events')).body.events;
  expect(events[1]).toMatchObject({ event: 'deleted', reason: 'idle_ttl' });
  await app.close();
});

test('a sweep that fails says so once a run, and the next one works again', async () => {
  const lines: Json[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      lines.push(JSON.parse(chunk.toString()));
      done();
    },
  });
  const app = await startApp(
    { POOL_SIZE: '1', TOKEN_TTL_SECONDS: '0.05', SWEEP_INTERVAL_MS: '5' },
    jsonLogger('warn', stream),
  );
  const client = new Client({ connectionString: app.databaseUrl });
  await client.connect();
  await client.query('ALTER TABLE pools RENAME TO pools_away');
  await until(() => lines.length >= 2);
  expect(lines[1]).toMatchObject({ level: 'warn', msg: 'sweep failed' });
  await client.query('ALTER TABLE pools_away RENAME TO pools');
  await client.end();
  const ask = clientOf(app);
  await ask('POST', '/api/tokens/allocate');
  let lastSeq = 0;
  while (lastSeq < 3) lastSeq = (await ask('GET', '/api/pools/default')).body.last_seq as number;
  await app.close();
});
