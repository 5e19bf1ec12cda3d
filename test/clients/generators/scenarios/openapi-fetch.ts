// Types by openapi-typescript, requests by openapi-fetch.

import createClient from 'openapi-fetch';
import type { paths } from '../generated/openapi-typescript.js';
import { firstEventOf, granted, KEY, LINE, SELECT, THINGS, USER, waiting, type Scenario } from './story.js';

export const play: Scenario = async (url, pool) => {
  const client = createClient<paths>({ baseUrl: url });
  const made = await client.POST('/api/pools', {
    body: { name: pool, kind: 'fixed', size: 1, ttl_seconds: 30, max_lifetime_seconds: null },
  });
  if (made.error) throw new Error(made.error.detail);
  const allocation = {
    body: { pool, user_id: USER, metadata: { desk: 7 } },
    params: { header: { 'Idempotency-Key': KEY } },
  };
  const first = granted((await client.POST('/api/tokens/allocate', allocation)).data);
  const again = granted((await client.POST('/api/tokens/allocate', allocation)).data);
  const second = granted((await client.POST('/api/tokens/allocate', { body: { pool } })).data);
  const active = await client.GET('/api/tokens/active', { params: { query: { pool, limit: 1 } } });
  const token = { params: { path: { id: second.token_id } } };
  const events = await client.GET('/api/tokens/{id}/events', { params: { ...token.params, query: { limit: 3 } } });
  const refused = await client.POST('/api/tokens/{id}/release', { ...token, body: { lease_id: first.lease_id } });
  const released = await client.POST('/api/tokens/{id}/release', { ...token, body: { lease_id: second.lease_id } });
  const changed = await client.PATCH('/api/pools/{name}', { params: { path: { name: pool } }, body: { size: 2 } });
  const listed = `${pool}-things`;
  await client.POST('/api/pools', { body: { name: listed, kind: 'listed' } });
  const imported = await client.PUT('/api/pools/{name}/tokens', {
    params: { path: { name: listed } },
    body: { tokens: THINGS },
  });
  const selecting = await client.POST('/api/tokens/allocate', { body: { pool: listed, select: SELECT } });
  const selected = granted(selecting.data);
  const line = `${pool}-line`;
  await client.POST('/api/pools', { body: { name: line, kind: 'fixed', ...LINE } });
  const held = granted((await client.POST('/api/tokens/allocate', { body: { pool: line } })).data);
  const place = waiting((await client.POST('/api/tokens/allocate', { body: { pool: line, wait_seconds: 0.1 } })).data);
  await client.POST('/api/tokens/{id}/release', {
    params: { path: { id: held.token_id } },
    body: { lease_id: held.lease_id },
  });
  const claimed = await client.POST('/api/tickets/{id}/claim', {
    params: { path: { id: place.id } },
    body: { wait_seconds: 5 },
  });
  const stream = await client.GET('/api/pools/{name}/events/stream', {
    params: { path: { name: pool }, query: { after: '0' } },
    parseAs: 'stream',
  });
  return {
    maxLifetimeSeconds: made.data.max_lifetime_seconds,
    isOneLease: first.lease_id === again.lease_id,
    evictedUser: second.evicted?.user_id,
    activeFences: active.data?.tokens.map(({ fence }) => fence) ?? [],
    events: events.data?.events.map(({ event, reason }) => `${event} ${reason}`) ?? [],
    refusal: `${refused.error?.error} ${refused.error?.end_reason}`,
    isReleased: released.data?.ok === true,
    total: changed.data?.counts.total ?? 0,
    added: imported.data?.added ?? 0,
    selected: { name: selected.name, attributes: selected.attributes },
    place: place.position,
    fenceInTurn: granted(claimed.data).fence,
    streamed: await firstEventOf(stream.data as ReadableStream<Uint8Array> | undefined),
  };
};
