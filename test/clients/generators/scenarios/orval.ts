// A client by orval. It is made for pages of the same origin: its paths begin with `/`.

import {
  allocateToken,
  changePool,
  claimTicket,
  createPool,
  getStreamPoolEventsUrl,
  importTokens,
  listActiveTokens,
  listTokenEvents,
  releaseToken,
} from '../generated/orval.js';
import { firstEventOf, KEY, LINE, SELECT, THINGS, USER, type Scenario } from './story.js';

export const play: Scenario = async (url, pool) => {
  const { fetch } = globalThis;
  globalThis.fetch = (path, init) => fetch(new URL(path as string, url), init);
  try {
    return await playAt(pool);
  } finally {
    globalThis.fetch = fetch;
  }
};

const playAt = async (pool: string): ReturnType<Scenario> => {
  const made = await createPool({ name: pool, kind: 'fixed', size: 1, ttl_seconds: 30, max_lifetime_seconds: null });
  if (made.status !== 201) throw new Error(made.data.detail);
  const allocate = () =>
    allocateToken({ pool, user_id: USER, metadata: { desk: 7 } }, { headers: { 'Idempotency-Key': KEY } });
  const first = await allocate();
  const again = await allocate();
  const second = await allocateToken({ pool });
  if (first.status !== 200 || again.status !== 200 || second.status !== 200) throw new Error('not allocated');
  const active = await listActiveTokens({ pool, limit: 1 });
  if (active.status !== 200) throw new Error(active.data.detail);
  const id = second.data.token_id;
  const events = await listTokenEvents(id, { limit: 3 });
  if (events.status !== 200) throw new Error(events.data.detail);
  const refused = await releaseToken(id, { lease_id: first.data.lease_id });
  const released = await releaseToken(id, { lease_id: second.data.lease_id });
  const changed = await changePool(pool, { size: 2 });
  if (changed.status !== 200) throw new Error(changed.data.detail);
  const listed = `${pool}-things`;
  await createPool({ name: listed, kind: 'listed' });
  const imported = await importTokens(listed, { tokens: THINGS });
  const selected = await allocateToken({ pool: listed, select: SELECT });
  if (imported.status !== 200 || selected.status !== 200) throw new Error('not selected');
  const line = `${pool}-line`;
  await createPool({ name: line, kind: 'fixed', ...LINE });
  const held = await allocateToken({ pool: line });
  const place = await allocateToken({ pool: line, wait_seconds: 0.1 });
  if (held.status !== 200 || place.status !== 202) throw new Error('not waiting');
  await releaseToken(held.data.token_id, { lease_id: held.data.lease_id });
  const claimed = await claimTicket(place.data.id, { wait_seconds: 5 });
  if (claimed.status !== 200) throw new Error('not in turn');
  const stream = await fetch(getStreamPoolEventsUrl(pool, { after: '0' }));
  return {
    maxLifetimeSeconds: made.data.max_lifetime_seconds,
    isOneLease: first.data.lease_id === again.data.lease_id,
    evictedUser: second.data.evicted?.user_id,
    activeFences: active.data.tokens.map(({ fence }) => fence),
    events: events.data.events.map(({ event, reason }) => `${event} ${reason}`),
    refusal: refused.status === 410 ? `${refused.data.error} ${refused.data.end_reason}` : '',
    isReleased: released.status === 200 && released.data.ok,
    total: changed.data.counts.total,
    added: imported.data.added,
    selected: { name: selected.data.name, attributes: selected.data.attributes },
    place: place.data.position,
    fenceInTurn: claimed.data.fence,
    streamed: await firstEventOf(stream.body),
  };
};
