// Where an allocation's time goes in the database, by the durations in PostgreSQL's log.

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../bench.js';
import { call } from '../callers.js';
import { withClient } from '../cluster.js';
import { createFullPool, USER } from '../service.js';
import { openService } from '../../harness/service.js';

export interface Anatomy {
  readonly callers: number;
  /** The duration of a command for its caller, in milliseconds. */
  readonly p50: number;
  readonly commandsPerTransaction: number;
  /** The average milliseconds of each step, for bind (which finds the plan) and execute together. */
  readonly steps: readonly { readonly step: string; readonly milliseconds: number }[];
}

const LINE = /duration: ([\d.]+) ms {2}((?:bind|execute) \w+)/g;

/** @returns null for a server whose log the bench cannot read */
export async function measureAnatomy({ cluster, say }: Bench, seconds: number): Promise<Anatomy[] | null> {
  if (cluster.directory === null) return null;
  const log = join(cluster.directory, 'server.log');
  const database = await cluster.createDatabase('anatomy');
  const warm = await openService(database.url);
  await createFullPool(warm, 'a', 100);
  await warm.close();
  await withClient(database.url, (client) =>
    client.query(`ALTER DATABASE ${new URL(database.url).pathname.slice(1)} SET log_min_duration_statement = 0`),
  );
  const anatomies: Anatomy[] = [];
  for (const callers of [1, 100]) {
    say(`the database's own account, ${callers} callers`);
    const service = await openService(database.url);
    const allocate = () => service.service.allocate('a', { userId: USER });
    await call(callers, seconds / 3, allocate);
    const start = statSync(log).size;
    const { p50, rate } = await call(callers, seconds, allocate);
    const lines = readFileSync(log).subarray(start).toString();
    await service.close();
    anatomies.push({ callers, p50, ...dissected(lines, rate * seconds) });
  }
  await database.drop();
  return anatomies;
}

function dissected(log: string, commands: number): Pick<Anatomy, 'steps' | 'commandsPerTransaction'> {
  const totals = new Map<string, number>();
  let commits = 0;
  for (const [, milliseconds, step = ''] of log.matchAll(LINE)) {
    if (step === 'execute commit') commits++;
    totals.set(step, (totals.get(step) ?? 0) + Number(milliseconds));
  }
  const steps = [...totals].map(([step, total]) => ({ step, milliseconds: total / commits }));
  return { commandsPerTransaction: commands / commits, steps };
}
