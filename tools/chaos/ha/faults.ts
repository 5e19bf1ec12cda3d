// The ways to lose a primary.

import { setTimeout as sleep } from 'node:timers/promises';
import type { PostgresNode } from './postgres-node.js';
import type { Site } from './site.js';

export interface Loss {
  readonly name: string;
  readonly detail: string;
  /** Resolves when the primary is gone. */
  readonly strike: (site: Site) => Promise<void>;
  /** Runs after the standby has taken over. @returns what is wrong about the lost primary */
  readonly complaints: (lost: PostgresNode) => Promise<string[]>;
}

export const KILL: Loss = {
  name: 'kill-primary',
  detail: 'kill -9 of the server and its processes',
  strike: ({ primary }) => primary.kill(),
  complaints: () => Promise.resolve([]),
};

/** The lag of the standby when the primary dies, in milliseconds. */
const BEHIND_MS = 1000;

/** As when the network between the two fails for a moment, and then the primary's machine does. */
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

/** How long the check waits for an answer that must not come, in milliseconds. */
const NO_ANSWER_MS = 5000;

/** The primary is unreachable but alive, and comes back as if nothing had happened. */
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
