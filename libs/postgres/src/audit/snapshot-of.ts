// Reads a pool's newest snapshot, and its tokens one part at a time.

import type { SnapshotTokenView, SnapshotView } from '@app/tokens';
import type { Statement, Value } from '../connection/pipeline.js';
import { SNAPSHOT, SNAPSHOT_TOKENS } from './retention-statements.js';

type Ask = <Row>(statement: Statement, values: Value[]) => Promise<Row[]>;

/**
 * The newest snapshot, or null if there is none.
 * @param isBeginning reads only a snapshot whose events were dropped
 */
export async function snapshotOf(ask: Ask, pool: string, isBeginning: boolean): Promise<SnapshotView | null> {
  const [snapshot] = await ask<Omit<SnapshotView, 'parts'>>(SNAPSHOT, [pool, isBeginning]);
  return snapshot ? { ...snapshot, parts: partsOf(ask, pool, snapshot.seq) } : null;
}

async function* partsOf(ask: Ask, pool: string, seq: number): AsyncGenerator<readonly SnapshotTokenView[]> {
  for (let part = 0; ; part++) {
    const [row] = await ask<{ tokens: readonly SnapshotTokenView[] }>(SNAPSHOT_TOKENS, [pool, seq, part]);
    if (!row) return;
    yield row.tokens;
  }
}
