// as_of over HTTP: what may be asked for, and what is told.

import { startApp, type TestApp } from '../support/app.js';
import { clientOf } from './client.js';

let app: TestApp;
let ask: ReturnType<typeof clientOf>;

beforeAll(async () => {
  app = await startApp({ POOL_SIZE: '2' });
  ask = clientOf(app);
});
afterAll(() => app.close());

test('a pool and a token are told as of an instant, in whatever zone it is given', async () => {
  const { body: lease } = await ask('POST', '/api/tokens/allocate');
  const at = String(lease.activated_at);
  await ask('POST', `/api/tokens/${lease.token_id}/release`);
  const elsewhere = encodeURIComponent(at.replace('Z', '+00:00'));
  // PostgreSQL itself knows offsets below 16 hours only.
  const far = new Date(Date.parse(at) + 23 * 3_600_000).toISOString().slice(0, 19) + at.slice(19, -1);
  for (const as_of of [at, elsewhere, encodeURIComponent(`${far}+23:00`)]) {
    expect((await ask('GET', `/api/pools/default?as_of=${as_of}`)).body).toMatchObject({
      counts: { total: 2, available: 1, active: 1 },
      last_seq: 3,
      as_of: at,
    });
    expect((await ask('GET', `/api/tokens/${lease.token_id}?as_of=${as_of}`)).body).toMatchObject({
      status: 'active',
      current_user: { user_id: lease.user_id },
      history: [{ user_id: lease.user_id, ended_at: null }],
      as_of: at,
    });
  }
});

test.each([
  'yesterday',
  '2026-11-21',
  '2026-11-21T09:30:00',
  '2026-02-30T09:30:00Z',
  '2026-11-21T25:00:00Z',
  '0000-01-01T00:00:00Z',
  '2026-11-21T09:30:00.1234567Z',
  '2999-01-01T00:00:00Z',
  '2026-11-21T24:00:00Z',
  '2026-12-31T23:59:60Z',
  '2025-02-29T00:00:00+16:00',
  '0001-01-01T00:00:00%2B16:00',
  '9999-12-31T23:59:00-16:00',
  '12026-11-21T09:30:00Z',
  '2026-11-21T09:30:00Z&as_of=2026-11-21T09:30:00Z',
])('as_of=%s is refused', async (as_of) => {
  for (const path of ['/api/pools/default', '/api/tokens/c0ffee00-0000-4000-8000-000000000001']) {
    const { status, body } = await ask('GET', `${path}?as_of=${as_of}`);
    expect([status, body.error]).toEqual(
      as_of.startsWith('2999') && path.includes('tokens') ? [404, 'token_not_found'] : [400, 'invalid_request'],
    );
  }
});

test('before its first token a pool was not there', async () => {
  expect((await ask('GET', '/api/pools/default?as_of=2001-01-01T00:00:00Z')).body).toMatchObject({
    error: 'pool_not_found',
  });
});
