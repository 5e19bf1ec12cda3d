// A client by @hey-api/openapi-ts, which reads the stream itself.

import { client } from '../generated/hey-api/client.gen.js';
import {
  allocateToken,
  changePool,
  claimTicket,
  createPool,
  importTokens,
  listActiveTokens,
  listTokenEvents,
  releaseToken,
  streamPoolEvents,
} from '../generated/hey-api/index.js';
import { granted, KEY, LINE, SELECT, THINGS, USER, waiting, type Scenario } from './story.js';

export const play: Scenario = async (url, pool) => {
  client.setConfig({ baseUrl: url });
  const made = await createPool({
    body: { name: pool, kind: 'fixed', size: 1, ttl_seconds: 30, max_lifetime_seconds: null },
    throwOnError: true,
  });
  const allocation = {
    body: { pool, user_id: USER, metadata: { desk: 7 } },
    headers: { 'Idempotency-Key': KEY },
    throwOnError: true,
  } as const;
  const first = granted((await allocateToken(allocation)).data);
  const again = granted((await allocateToken(allocation)).data);
  const second = granted((await allocateToken({ body: { pool }, throwOnError: true })).data);
  const active = await listActiveTokens({ query: { pool, limit: 1 }, throwOnError: true });
  const path = { id: second.token_id };
  const events = await listTokenEvents({ path, query: { limit: 3 }, throwOnError: true });
  const refused = await releaseToken({ path, body: { lease_id: first.lease_id } });
  const released = await releaseToken({ path, body: { lease_id: second.lease_id }, throwOnError: true });
  const changed = await changePool({ path: { name: pool }, body: { size: 2 }, throwOnError: true });
  const listed = `${pool}-things`;
  await createPool({ body: { name: listed, kind: 'listed' }, throwOnError: true });
  const imported = await importTokens({ path: { name: listed }, body: { tokens: THINGS }, throwOnError: true });
  const selecting = await allocateToken({ body: { pool: listed, select: SELECT }, throwOnError: true });
  const selected = granted(selecting.data);
  const line = `${pool}-line`;
  await createPool({ body: { name: line, kind: 'fixed', ...LINE }, throwOnError: true });
  const held = granted((await allocateToken({ body: { pool: line }, throwOnError: true })).data);
  const place = waiting((await allocateToken({ body: { pool: line, wait_seconds: 0.1 }, throwOnError: true })).data);
  await releaseToken({ path: { id: held.token_id }, body: { lease_id: held.lease_id }, throwOnError: true });
  const claimed = await claimTicket({ path: { id: place.id }, body: { wait_seconds: 5 }, throwOnError: true });
  const { stream } = await streamPoolEvents({ path: { name: pool }, query: { after: '0' } });
  let streamed: string | undefined;
  for await (const { event } of stream) {
    streamed = event;
    break;
  }
  return {
    maxLifetimeSeconds: made.data.max_lifetime_seconds,
    isOneLease: first.lease_id === again.lease_id,
    evictedUser: second.evicted?.user_id,
    activeFences: active.data.tokens.map(({ fence }) => fence),
    events: events.data.events.map(({ event, reason }) => `${event} ${reason}`),
    refusal: `${refused.error?.error} ${refused.error?.end_reason}`,
    isReleased: released.data.ok,
    total: changed.data.counts.total,
    added: imported.data.added,
    selected: { name: selected.name, attributes: selected.attributes },
    place: place.position,
    fenceInTurn: granted(claimed.data).fence,
    streamed,
  };
};
