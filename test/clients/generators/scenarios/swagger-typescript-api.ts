// A client by swagger-typescript-api. It throws what is refused, and has enums for words.

import {
  Api,
  OnExhausted,
  PoolKind,
  type HttpResponse,
  type Problem,
  type Ticket,
  type TokenEvent,
} from '../generated/swagger-typescript-api.js';
import { firstEventOf, KEY, LINE, SELECT, THINGS, USER, type Scenario } from './story.js';

export const play: Scenario = async (url, pool) => {
  const { api } = new Api({ baseUrl: url });
  const made = await api.createPool({
    name: pool,
    kind: PoolKind.Fixed,
    size: 1,
    ttl_seconds: 30,
    max_lifetime_seconds: null,
  });
  const allocate = () =>
    api.allocateToken({ pool, user_id: USER, metadata: { desk: 7 } }, { headers: { 'Idempotency-Key': KEY } });
  const { data: first } = await allocate();
  const { data: again } = await allocate();
  const { data: second } = await api.allocateToken({ pool });
  const active = await api.listActiveTokens({ pool, limit: 1 });
  const events = await api.listTokenEvents(second.token_id, { limit: 3 });
  const refused = await api.releaseToken(second.token_id, { lease_id: first.lease_id }).then(
    () => null,
    ({ error }: HttpResponse<unknown, Problem>) => error,
  );
  const released = await api.releaseToken(second.token_id, { lease_id: second.lease_id });
  const changed = await api.changePool(pool, { size: 2 });
  const listed = `${pool}-things`;
  await api.createPool({ name: listed, kind: PoolKind.Listed });
  const imported = await api.importTokens(listed, { tokens: THINGS });
  const { data: selected } = await api.allocateToken({ pool: listed, select: SELECT });
  const line = `${pool}-line`;
  await api.createPool({ name: line, kind: PoolKind.Fixed, ...LINE, on_exhausted: OnExhausted.Reject });
  const { data: held } = await api.allocateToken({ pool: line });
  // It knows the answer 200 only.
  const { data: place } = (await api.allocateToken({ pool: line, wait_seconds: 0.1 })) as unknown as { data: Ticket };
  await api.releaseToken(held.token_id, { lease_id: held.lease_id });
  const { data: claimed } = await api.claimTicket(place.id, { wait_seconds: 5 });
  const stream: HttpResponse<TokenEvent, Problem> = await api.streamPoolEvents(pool, { after: '0' });
  return {
    maxLifetimeSeconds: made.data.max_lifetime_seconds,
    isOneLease: first.lease_id === again.lease_id,
    evictedUser: second.evicted?.user_id,
    activeFences: active.data.tokens.map(({ fence }) => fence),
    events: events.data.events.map(({ event, reason }) => `${event} ${reason}`),
    refusal: `${refused?.error} ${refused?.end_reason}`,
    isReleased: released.data.ok,
    total: changed.data.counts.total,
    added: imported.data.added,
    selected: { name: selected.name, attributes: selected.attributes },
    place: place.position,
    fenceInTurn: claimed.fence,
    streamed: await firstEventOf(stream.body),
  };
};
