// Runs inside a server process: starts one of the compared servers, and answers the bench's messages.

import { pathToFileURL } from 'node:url';
import { Session, type Profiler } from 'node:inspector/promises';

const SERVERS = {
  /** The service with its real main. */
  service: () => import('../../apps/api/src/main.js'),
  /** A released version, as it was compiled then. */
  released: () => import(pathToFileURL(process.env['RELEASED_MAIN'] as string).href),
  'no-op': async () => (await import('./servers/no-op.app.js')).listen(),
  'batches-of-one': async () => (await import('./servers/batches-of-one.app.js')).listen(),
  express: async () => (await import('./servers/bare-express.js')).listen(),
};

export type ServerKind = keyof typeof SERVERS;

export interface Vitals {
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly handles: number;
  /** Processor time since the start, in microseconds. */
  readonly cpuMicros: number;
}

export interface Answers {
  vitals: Vitals;
  'start profile': null;
  'stop profile': Profiler.Profile;
}

export type Question = keyof Answers;

const session = new Session();

const answers: { [Q in Question]: () => Promise<Answers[Q]> } = {
  vitals: async () => {
    const { rss, heapUsed } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const handles = process.getActiveResourcesInfo().length;
    return { rssBytes: rss, heapBytes: heapUsed, handles, cpuMicros: user + system };
  },
  'start profile': async () => {
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: 250 });
    await session.post('Profiler.start');
    return null;
  },
  'stop profile': async () => {
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    return profile;
  },
};

export async function serve(kind: string): Promise<void> {
  if (!(kind in SERVERS)) throw new Error(`there is no server ${kind}`);
  process.on('message', (question: Question) => {
    void answers[question]().then((answer) => process.send?.(answer));
  });
  // The server ends with the bench, whatever ends the bench.
  process.on('disconnect', () => process.exit(1));
  await SERVERS[kind as ServerKind]();
}
