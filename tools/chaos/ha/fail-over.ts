// What an operator, or a program such as Patroni, does when the primary is gone: notices it, makes the standby the primary,
// and shows everybody the way.

import { setTimeout as sleep } from 'node:timers/promises';
import type { PostgresNode } from './postgres-node.js';
import type { Site } from './site.js';

/** A primary that has not answered for so long is given up. */
const PATIENCE_MS = 2000;
const LOOK_MS = 200;

/** Resolves when the primary has not answered for as long as anybody waits. */
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
 * The primary is left as it is: dead, or cut off from everybody.
 * @param beforeServing done to the new primary before anybody works on it
 */
export async function failOver(site: Site, beforeServing: (primary: PostgresNode) => Promise<void>): Promise<void> {
  const { primary, standby, pooler } = site;
  await standby.promote();
  site.primary = standby;
  site.standby = primary;
  await beforeServing(standby);
  await pooler.pointTo(standby);
}
