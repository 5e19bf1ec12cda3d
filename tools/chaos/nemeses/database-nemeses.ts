// Faults of PostgreSQL: killed, stopped, without connections, and blocked.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { numbersOf, type Nemesis, type World } from './world.js';

const OF_SERVICE = `application_name = 'token-pool' AND pid <> pg_backend_pid()`;

const everybody = ({ replicas }: World): number[] => numbersOf(replicas);

/** Ends the database, and starts it again after a while. */
const outage = (name: string, end: (world: World) => Promise<void>): Nemesis => ({
  name,
  family: 'database',
  strike: async (world) => {
    const { random, database } = world;
    const pause = random.chance(0.5) ? 0 : random.between(100, 2500);
    await end(world);
    await sleep(pause);
    await database.restart();
    return { detail: `down for ${(pause / 1000).toFixed(1)} s`, hit: everybody(world), survivors: everybody(world) };
  },
});

const terminate: Nemesis = {
  name: 'terminate-sessions',
  family: 'database',
  strike: async (world) => {
    const { random, database } = world;
    const times = random.whole(5, 30);
    const session = await database.session();
    let ended = 0;
    for (let time = 0; time < times; time++) {
      const { rowCount } = await session.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${OF_SERVICE} AND random() < $1`,
        [random.between(0.2, 1)],
      );
      ended += rowCount ?? 0;
      await sleep(random.between(5, 120));
    }
    await session.end();
    return { detail: `${ended} sessions`, hit: everybody(world), survivors: everybody(world) };
  },
};

const holdLock: Nemesis = {
  name: 'hold-lock',
  family: 'database',
  strike: async (world) => {
    const { random, database, pools } = world;
    const { name } = random.pick(pools);
    const seconds = random.between(0.5, 5);
    const session = await database.session();
    await session.query(`BEGIN`);
    await session.query(`SELECT FROM pools WHERE name = $1 FOR UPDATE`, [name]);
    await sleep(seconds * 1000);
    await session.query('COMMIT');
    await session.end();
    return { detail: `pool ${name} for ${seconds.toFixed(1)} s`, hit: [], survivors: everybody(world) };
  },
};

const exhaust: Nemesis = {
  name: 'exhaust-connections',
  family: 'database',
  strike: async (world) => {
    const { random, database } = world;
    const seconds = random.between(1, 3);
    const first = await database.session();
    const sessions: Client[] = [];
    const take = async (): Promise<void> => {
      for (;;) sessions.push(await database.session());
    };
    const takeAll = (): Promise<unknown> => Promise.all([1, 2, 3, 4].map(() => take().catch(() => undefined)));
    await takeAll();
    // The service loses its connections, too, and finds no new ones.
    await first.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${OF_SERVICE}`);
    await takeAll();
    await sleep(seconds * 1000);
    await Promise.all([first, ...sessions].map((session) => session.end()));
    return {
      detail: `${sessions.length} taken for ${seconds.toFixed(1)} s`,
      hit: everybody(world),
      survivors: everybody(world),
    };
  },
};

export const DATABASE_NEMESES: readonly Nemesis[] = [
  outage('kill-database', ({ database }) => database.kill()),
  outage('stop-database-fast', ({ database }) => database.stop('fast')),
  outage('stop-database-immediate', ({ database }) => database.stop('immediate')),
  terminate,
  holdLock,
  exhaust,
];
