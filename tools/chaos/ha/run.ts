// A run on real parts: load, and the loss of the primary, once or twice; then writes the final state for the checker.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { about } from '../../harness/about.js';
import { writeFinalState } from '../final-state.js';
import { HistoryWriter, wallNow, type Fault } from '../history.js';
import { Client } from '../load/client.js';
import { POOLS } from '../load/pools.js';
import { Recorder } from '../load/recorder.js';
import { follow } from '../load/tail.js';
import { Random } from '../../harness/random.js';
import { recover } from '../recover.js';
import { failOver, noticeLoss } from './fail-over.js';
import { CUT_OFF, KILL, KILL_BEHIND, type Loss } from './faults.js';
import type { PostgresNode } from './postgres-node.js';
import { Site, type SiteOptions } from './site.js';

export interface HaRunOptions extends SiteOptions {
  readonly seed: number;
  readonly clients: number;
  /** The seconds of load before and after each loss. */
  readonly seconds: number;
  /** One loss, and no repair. */
  readonly isShort: boolean;
  /** Runs on a promoted standby before the service uses it. */
  readonly beforeServing: (primary: PostgresNode) => Promise<void>;
  readonly say: (line: string) => void;
}

/** The course of a loss, in seconds since it. */
export interface Course {
  readonly name: string;
  readonly noticed: number;
  readonly pointed: number;
}

/** @returns the file of the history. Only the run's directory is left. */
export async function runHa(options: HaRunOptions): Promise<{ file: string; courses: Course[] }> {
  const { directory, seed, clients, seconds, isAsync, isShort, beforeServing, say } = options;
  const surroundings = about();
  const site = await Site.start(options);
  const ending = (): void => void site.remove().finally(() => process.exit(130));
  for (const signal of SIGNALS) process.once(signal, ending);
  try {
    const random = new Random(seed);
    const history = new HistoryWriter(join(directory, 'history.jsonl'));
    const losses = isAsync ? [KILL_BEHIND] : isShort ? [KILL] : [KILL, CUT_OFF];
    const [version] = await site.primary.query<{ server_version: string }>('SHOW server_version');
    history.write({
      kind: 'run',
      seed,
      seconds,
      processes: site.apis.length,
      clients,
      auth: 'open',
      saysWho: true,
      nemeses: losses.map(({ name }) => name),
      skipped: [],
      clock: null,
      about: surroundings,
      postgres: version?.server_version ?? '',
      pools: POOLS,
      wallAtZero: wallNow() - history.now() / 1000,
    });
    // The balancer chooses the process; for clients it is one process.
    const target = { number: 1, port: site.balancer.port };
    const recorder = new Recorder(history);
    let isOver = false;
    const load = [
      ...Array.from({ length: clients }, (_, place) =>
        new Client(`c${place}`, [target], POOLS, recorder, random.fork()).run(() => isOver),
      ),
      ...POOLS.map(({ name }) => follow(name, [target], undefined, recorder, random.fork(), () => isOver)),
    ];
    const courses: Course[] = [];
    try {
      for (const loss of losses) {
        await sleep(seconds * 1000);
        courses.push(await lose(loss, site, history, recorder, beforeServing, say));
        await sleep(seconds * 1000);
        if (loss !== losses.at(-1)) await repair(site, say);
      }
    } finally {
      isOver = true;
      await Promise.all(load);
    }
    const begun = history.now();
    const complaints = await site.quiesce();
    const end: Fault = {
      kind: 'fault',
      name: 'end',
      detail: 'SIGTERM to all',
      begun,
      healed: history.now(),
      hit: [],
      survivors: [],
      complaints,
    };
    history.write(end);
    await writeFinalState(history, site.primary.url, POOLS);
    history.write({ kind: 'end', at: history.now(), wall: wallNow() });
    await history.close();
    return { file: history.file, courses };
  } finally {
    for (const signal of SIGNALS) process.off(signal, ending);
    await site.remove();
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

async function lose(
  loss: Loss,
  site: Site,
  history: HistoryWriter,
  recorder: Recorder,
  beforeServing: (primary: PostgresNode) => Promise<void>,
  say: (line: string) => void,
): Promise<Course> {
  const { name, detail } = loss;
  const lost = site.primary;
  const pids = site.apis.map(({ pid }) => pid);
  say(`${name}: ${detail}`);
  await loss.strike(site);
  const begun = history.now();
  await noticeLoss(lost);
  const noticed = history.now();
  await failOver(site, beforeServing);
  const healed = history.now();
  const fault: Fault = { kind: 'fault', name, detail, begun, healed, hit: [], survivors: [1], complaints: [] };
  const world = { replicas: [{ number: 1, api: { port: site.balancer.port, isRunning: true } }], pools: POOLS };
  await recover(world, fault, history, recorder);
  const complaints = await loss.complaints(lost);
  const again = site.apis.filter(({ pid, isRunning }, place) => !isRunning || pid !== pids[place]);
  history.write({
    ...fault,
    complaints: [...complaints, ...again.map(({ number }) => `process ${number} died by itself during ${name}`)],
  });
  for (const complaint of complaints) say(`  ${complaint}`);
  return { name, noticed: (noticed - begun) / 1e9, pointed: (healed - begun) / 1e9 };
}

/** Makes the old primary the standby, and lets commits wait for it again. */
async function repair({ primary, standby }: Site, say: (line: string) => void): Promise<void> {
  const began = performance.now();
  await standby.followInstead(primary);
  await primary.waitFor(standby);
  say(`${standby.name} follows ${primary.name}, after ${((performance.now() - began) / 1000).toFixed(1)} s of repair`);
}
