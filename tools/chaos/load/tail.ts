// A reader that follows a pool's feed under load; it must never meet a gap.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../harness/random.js';
import type { Caller } from './caller.js';
import { isOk, type Recorder, type Target } from './recorder.js';

export async function follow(
  pool: string,
  targets: readonly Target[],
  by: Caller | undefined,
  recorder: Recorder,
  random: Random,
  isOver: () => boolean,
): Promise<void> {
  let after = 0;
  for (let count = 1; !isOver(); count++) {
    const call = { do: 'feed', after } as const;
    const read = await recorder.perform(random.pick(targets), `tail-${pool}-${count}`, pool, call, {
      patienceMs: 3000,
      by,
    });
    if (isOk(read)) after = (read.answer?.['seqs'] as number[]).at(-1) ?? after;
    await sleep(random.between(20, 200));
  }
}
