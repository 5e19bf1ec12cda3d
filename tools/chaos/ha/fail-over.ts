// Does what an operator or a program such as Patroni does when the primary is lost: notices the loss, promotes the
// standby, and points the pooler to it.

import { setTimeout as sleep } from 'node:timers/promises';
import type { PostgresNode } from './postgres-node.js';
import type { Site } from './site.js';

/** The time without an answer after which the primary counts as lost. */
const PATIENCE_MS = 2000;
const LOOK_MS = 200;

/** Resolves when the primary has not answered for that time. */
export async function noticeLoss(primary: PostgresNode): Promise<void> {
  let answered = performance.now();
  while (performance.now() - answered < PATIENCE_MS) {
    const isThere = await primary.query('SELECT', [], 'postgres').then(
      () => true,
      () => false,
    );
    if (isThere) answered = performance.now();
    await sleep(LOOK_MS);
  }
}

/**
 * Leaves the old primary as it is: dead or unreachable.
 * @param beforeServing runs on the new primary before the service uses it
 */
export async function failOver(site: Site, beforeServing: (primary: PostgresNode) => Promise<void>): Promise<void> {
  const { primary, standby, pooler } = site;
  await standby.promote();
  site.primary = standby;
  site.standby = primary;
  await beforeServing(standby);
  await pooler.pointTo(standby);
}
