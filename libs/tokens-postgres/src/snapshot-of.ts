// Reads a pool's last snapshot, whole.

import type { SnapshotTokenView, SnapshotView } from '@app/tokens';
import type { Statement, Value } from './exchange.js';
import { SNAPSHOT, SNAPSHOT_TOKENS } from './retention-statements.js';

type Ask = <Row>(statement: Statement, values: Value[]) => Promise<Row[]>;

/** @param isBeginning only one whose events are not there any more */
export async function snapshotOf(ask: Ask, pool: string, isBeginning: boolean): Promise<SnapshotView | null> {
  const [snapshot] = await ask<Omit<SnapshotView, 'tokens'>>(SNAPSHOT, [pool, isBeginning]);
  if (!snapshot) return null;
  const tokens: SnapshotTokenView[] = [];
  for (let part = 0; ; part++) {
    const [row] = await ask<{ tokens: SnapshotTokenView[] }>(SNAPSHOT_TOKENS, [pool, snapshot.seq, part]);
    if (!row) return { ...snapshot, tokens };
    for (const token of row.tokens) tokens.push(token);
  }
}
