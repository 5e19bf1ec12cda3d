// How a primary is lost.

import { setTimeout as sleep } from 'node:timers/promises';
import type { PostgresNode } from './postgres-node.js';
import type { Site } from './site.js';

export interface Loss {
  readonly name: string;
  readonly detail: string;
  /** Resolves when the primary is gone. */
  readonly strike: (site: Site) => Promise<void>;
  /** After the standby has taken its place: what is still wrong about the lost one. */
  readonly complaints: (lost: PostgresNode) => Promise<string[]>;
}

export const KILL: Loss = {
  name: 'kill-primary',
  detail: 'kill -9 of the server and its processes',
  strike: ({ primary }) => primary.kill(),
  complaints: () => Promise.resolve([]),
};

/** How far the standby is behind when the primary dies, in milliseconds. */
const BEHIND_MS = 1000;

/** As when the network between the two is down for a moment, and then the primary's machine is. */
export const KILL_BEHIND: Loss = {
  name: 'kill-primary',
  detail: `kill -9, the standby being ${BEHIND_MS} ms behind`,
  strike: async ({ primary, standby }) => {
    standby.feed.set({ isSilent: true });
    await sleep(BEHIND_MS);
    await primary.kill();
    standby.feed.set({ isClosed: true });
  },
  complaints: () => Promise.resolve([]),
};

/** How long is waited for the answer that must not come, in milliseconds. */
const NO_ANSWER_MS = 5000;

/** Nothing is heard of it any more, but it lives, and comes back as if nothing had happened. */
export const CUT_OFF: Loss = {
  name: 'cut-off-primary',
  detail: 'SIGSTOP to the server and its processes, SIGCONT when the standby had taken its place',
  strike: ({ primary }) => Promise.resolve(primary.signal('SIGSTOP')),
  complaints: async (lost) => {
    lost.signal('SIGCONT');
    const session = await lost.session();
    const commit = session.query('CREATE TABLE written_after_the_loss ()').then(
      () => 'answered',
      () => 'refused',
    );
    const outcome = await Promise.race([commit, sleep(NO_ANSWER_MS, 'waiting')]);
    const waiting = await lost.query(`SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'`);
    await lost.kill();
    await commit;
    await session.end().catch(() => undefined);
    if (outcome === 'waiting' && waiting.length > 0) return [];
    return [`a commit on the primary that had been cut off was ${outcome}, ${waiting.length} wait for a standby`];
  },
};
