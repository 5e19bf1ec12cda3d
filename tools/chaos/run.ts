// A run: load under one fault after the other; then heals and ends everything, and writes the final state.

import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { about } from '../harness/about.js';
import { writeFinalState } from './final-state.js';
import { HistoryWriter, wallNow, type Auth, type Call, type Fault } from './history.js';
import { Client, type Held } from './load/client.js';
import { keyHolder } from './load/callers.js';
import { CLEANED, LINE, POOLS } from './load/pools.js';
import { CleanedPool } from './load/janitors.js';
import { Recorder } from './load/recorder.js';
import { follow } from './load/tail.js';
import { Waiter } from './load/waiter.js';
import { NEMESES } from './nemeses/all.js';
import { availableClock } from './nemeses/movable-clock.js';
import { both, partnerOf } from './nemeses/pair.js';
import type { Nemesis, World } from './nemeses/world.js';
import { recover } from './recover.js';
import { Random } from '../harness/random.js';
import { System } from './system.js';

export interface RunOptions {
  readonly main: string;
  readonly seconds: number;
  readonly seed: number;
  /** Names of nemeses; an empty list stands for no faults. */
  readonly nemeses: readonly string[];
  readonly processes: number;
  readonly clients: number;
  /** How many callers wait in line (12). */
  readonly waiters?: number;
  /** Whether they claim at the last moment, and keep what they get to the end. */
  readonly slowWaiters?: boolean;
  /** How many janitors clean tokens (3); without any, nobody uses their pool. */
  readonly janitors?: number;
  readonly auth: Auth;
  /** The folder for history and logs; the run creates it. */
  readonly directory: string;
  readonly sql?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly say: (line: string) => void;
}

/** The time before the first fault and between two faults, in milliseconds. */
const QUIET_MS = 500;
const PROGRESS_MS = 5000;
export const WAITERS = 12;
export const JANITORS = 3;
/** The share of faults that come together with another one. */
const PAIRS = 0.2;

/** @returns the file of the history. Only the run's directory is left. */
export async function run(options: RunOptions): Promise<string> {
  const { seconds, seed, processes, clients, auth, directory, say } = options;
  mkdirSync(directory, { recursive: true });
  const random = new Random(seed);
  const chosen = NEMESES.filter(({ name }) => options.nemeses.includes(name));
  const nemeses = chosen.filter(({ obstacle }) => (obstacle?.() ?? null) === null);
  const skipped = chosen.flatMap(({ name, obstacle }) => (obstacle?.() ? [`${name}: ${obstacle()}`] : []));
  for (const reason of skipped) say(`skipped  ${reason}`);

  const clock = nemeses.some(({ name }) => name === 'clock') ? availableClock() : null;
  const surroundings = about();
  const system = await System.start({ ...options, clock });
  const ending = onSignal(() => system.remove());
  try {
    const history = new HistoryWriter(join(directory, 'history.jsonl'));
    const wallAtZero = wallNow() - history.now() / 1000;
    history.write({
      kind: 'run',
      seed,
      seconds,
      processes,
      clients,
      auth,
      saysWho: true,
      nemeses: nemeses.map(({ name }) => name),
      skipped,
      clock,
      about: surroundings,
      postgres: system.database.version,
      pools: POOLS,
      line: LINE,
      cleaned: CLEANED,
      wallAtZero,
    });
    const { callers } = system;
    for (const caller of callers.lasting) if (caller.key !== null) history.write(keyHolder(caller));
    const recorder = new Recorder(history, callers.operator);
    const targets = system.replicas.map(({ number, api: { port } }) => ({ number, port }));
    let isOver = false;
    const knownToAll: Held[] = [];
    const load = [
      ...Array.from({ length: clients }, (_, place) =>
        new Client(`c${place}`, targets, POOLS, recorder, random.fork(), callers.of(place), knownToAll).run(
          () => isOver,
        ),
      ),
      ...POOLS.map(({ name }, place) =>
        follow(name, targets, callers.lasting.at(place - 1), recorder, random.fork(), () => isOver),
      ),
      ...Array.from({ length: options.waiters ?? WAITERS }, (_, place) => {
        const by = callers.lasting[place % callers.lasting.length] ?? callers.operator;
        return new Waiter(`w${place}`, targets, history, random.fork(), by, options.slowWaiters).run(() => isOver);
      }),
      new CleanedPool(targets, history, random.fork(), callers.operator, () => isOver).run(
        options.janitors ?? JANITORS,
      ),
      callers.comeAndGo(targets, recorder, history, random.fork(), () => isOver),
    ];
    const told = setInterval(
      () =>
        say(`${timeOf(history)} of ${seconds} s  ${recorder.made} operations, ${recorder.unknown} of unknown outcome`),
      PROGRESS_MS,
    );
    try {
      const { replicas, database } = system;
      let rushed = 0;
      const rush = (process: number): void => {
        const target = targets.find(({ number }) => number === process) as (typeof targets)[number];
        for (const { name } of POOLS)
          for (const what of RUSH) {
            const call: Call = what === 'cleanup' ? { do: what } : { do: what, user: randomUUID() };
            load.push(recorder.perform(target, `rush-${++rushed}`, name, call).then(() => undefined));
          }
      };
      const world = { random: random.fork(), replicas, database, pools: POOLS, rush };
      await torment(world, nemeses, history, recorder, seconds, say);
      isOver = true;
      await Promise.all(load);
    } finally {
      isOver = true;
      clearInterval(told);
    }
    const begun = history.now();
    const complaints = await system.quiesce();
    history.write({ ...END_OF_RUN, begun, healed: history.now(), complaints });
    await writeFinalState(history, system.database.url, [...POOLS, LINE, CLEANED]);
    history.write({ kind: 'end', at: history.now(), wall: wallNow() });
    await history.close();
    return history.file;
  } finally {
    ending.forget();
    await system.remove();
  }
}

/** Has whole-pool commands, too, which do not go through the queue that batches the others. */
const RUSH = ['cleanup', 'allocate', 'cleanup', 'allocate', 'cleanup'] as const;

const END_OF_RUN = { kind: 'fault', name: 'end', detail: 'SIGTERM to all', hit: [], survivors: [] } as const;

/** Runs the nemeses in random order, each one once before any comes again. */
async function torment(
  world: World,
  nemeses: readonly Nemesis[],
  history: HistoryWriter,
  recorder: Recorder,
  seconds: number,
  say: (line: string) => void,
): Promise<void> {
  const isOver = (): boolean => history.now() > seconds * 1e9;
  let deck: Nemesis[] = [];
  await sleep(QUIET_MS);
  while (!isOver()) {
    if (deck.length === 0) deck = world.random.shuffled(nemeses);
    const first = deck.pop();
    if (!first) {
      await sleep(100);
      continue;
    }
    const second = world.random.chance(PAIRS) ? partnerOf(first, nemeses, world.random) : undefined;
    const begun = history.now();
    const { repair, complaints = [], ...strike } = await (second ? both(first, second, world) : first.strike(world));
    const name = second ? `${first.name}+${second.name}` : first.name;
    const fault: Fault = { kind: 'fault', name, begun, healed: history.now(), ...strike, complaints };
    const ns = await recover(world, fault, history, recorder);
    say(`${timeOf(history)}  ${name}: ${strike.detail}; served again after ${(ns / 1e9).toFixed(2)} s`);
    await repair?.();
    const dead = world.replicas.filter(({ api }) => !api.isRunning);
    const died = dead.map(({ number }) => `process ${number} died by itself during ${name}`);
    for (const what of died) say(`${timeOf(history)}  ${what}`);
    history.write({ ...fault, complaints: [...complaints, ...died] });
    // The rest of the run needs all processes.
    await Promise.all(dead.map(({ api }) => api.start()));
    await sleep(QUIET_MS);
  }
}

const timeOf = (history: HistoryWriter): string => `${(history.now() / 1e9).toFixed(1).padStart(6)} s`;

/** Leaves no process behind after Ctrl-C. */
function onSignal(cleanUp: () => Promise<void>): { forget(): void } {
  const end = (): void => void cleanUp().finally(() => process.exit(130));
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.once(signal, end);
  return { forget: () => signals.forEach((signal) => process.off(signal, end)) };
}
