// Faults of API processes: SIGKILL, SIGSTOP and SIGTERM.

import { setTimeout as sleep } from 'node:timers/promises';
import { numbersOf, type Nemesis, type Replica, type World } from './world.js';

const STOP_TRIES = 50;
const TRIES_A_RUSH = 5;
/** The time that a process may take to end in order, in milliseconds. */
const END_MS = 10_000;

const othersThan = (world: World, ...hit: Replica[]): number[] =>
  numbersOf(world.replicas.filter((replica) => !hit.includes(replica)));

const killApi: Nemesis = {
  name: 'kill-api',
  family: 'process',
  strike: async (world) => {
    const { random, replicas } = world;
    const victims = random.shuffled(replicas).slice(0, random.whole(1, Math.max(1, replicas.length - 1)));
    await Promise.all(victims.map(({ api }) => api.kill()));
    return {
      detail: `kill -9 of ${victims.length}`,
      hit: numbersOf(victims),
      survivors: othersThan(world, ...victims),
      repair: async () => {
        await Promise.all(victims.map(({ api }) => api.start()));
      },
    };
  },
};

/** Stops a process for longer than the 2 s after which PostgreSQL takes its locks back. */
const stopApi: Nemesis = {
  name: 'stop-api',
  family: 'process',
  strike: async (world) => {
    const { random, replicas } = world;
    const victim = random.pick(replicas);
    const seconds = random.between(2.5, 4);
    const isWorking = await stopAtWork(world, victim);
    await sleep(seconds * 1000);
    victim.api.signal('SIGCONT');
    return {
      detail: `SIGSTOP for ${seconds.toFixed(1)} s${isWorking ? ', in the middle of a transaction' : ''}`,
      hit: [victim.number],
      survivors: numbersOf(replicas),
    };
  },
};

const AT_WORK = `
  SELECT count(*) FILTER (WHERE state = 'idle in transaction')::int AS holding,
    count(*) FILTER (WHERE wait_event_type = 'Lock')::int AS waiting
  FROM pg_stat_activity WHERE client_port = ANY ($1::int[])`;

/**
 * Stops a process while it holds a pool's lock, if possible, since that blocks others. At best another of its
 * transactions also waits for a lock, which PostgreSQL would then give to the stopped process.
 */
async function stopAtWork({ database, rush }: World, { number, api, proxy }: Replica): Promise<boolean> {
  const session = await database.session().catch(() => null);
  for (let tries = 0; session && tries < STOP_TRIES; tries++) {
    if (tries % TRIES_A_RUSH === 0) rush(number);
    await sleep(5);
    api.signal('SIGSTOP');
    // Statements on their way to the database arrive and get their answers.
    await sleep(15);
    const found = await session.query<{ holding: number; waiting: number }>(AT_WORK, [proxy.ports]).catch(() => null);
    const { holding = 0, waiting = 0 } = found?.rows[0] ?? {};
    if (holding > 0 && (waiting > 0 || tries > STOP_TRIES / 2)) {
      await session.end();
      return true;
    }
    api.signal('SIGCONT');
  }
  await session?.end().catch(() => undefined);
  api.signal('SIGSTOP');
  return false;
}

const endApi: Nemesis = {
  name: 'term-api',
  family: 'process',
  isAlone: true,
  strike: async (world) => {
    const victim = world.random.pick(world.replicas);
    const began = performance.now();
    victim.api.signal('SIGTERM');
    const code = await Promise.race([victim.api.ended(), sleep(END_MS + 1000, 'nothing', { ref: false })]);
    const seconds = (performance.now() - began) / 1000;
    return {
      detail: `SIGTERM, ended after ${seconds.toFixed(1)} s`,
      hit: [victim.number],
      survivors: othersThan(world, victim),
      complaints: [
        ...(code === 0 ? [] : [`process ${victim.number} ended with ${code} after SIGTERM`]),
        ...(seconds * 1000 <= END_MS ? [] : [`process ${victim.number} took ${seconds.toFixed(1)} s to end`]),
      ],
      repair: async () => {
        await victim.api.kill();
        await victim.api.start();
      },
    };
  },
};

export const PROCESS_NEMESES: readonly Nemesis[] = [killApi, stopApi, endApi];
