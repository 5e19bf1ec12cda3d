// Puts the things of a file into a pool, request by request, with progress and a way to stop between two of them.

import { inRequests } from '../../../../libs/client/src/index.js';
import { abreast } from '../abreast.js';
import { api, type GivenThing, type ImportedThings } from '../api.js';

export interface Import {
  readonly pool: string;
  readonly things: readonly GivenThing[];
  /** The ids of the tokens to delete when they are free: those that the file leaves out. */
  readonly removed: readonly string[];
}

export type Done = { -readonly [Key in keyof ImportedThings]: number };

/**
 * Tells `progress` after each answer what was done so far.
 * @throws ApiError of the first refused request; what was done before stays done
 */
export async function importThings(
  { pool, things, removed }: Import,
  signal: AbortSignal,
  progress: (done: Readonly<Done>, steps: number) => void,
): Promise<void> {
  const done: Done = { added: 0, changed: 0, unchanged: 0, deleted: 0, draining: 0 };
  let steps = 0;
  const requests = inRequests(things);
  // Only a list that fits one request can say that it is whole.
  const isWhole = requests.length === 1 && removed.length > 0;
  for (const part of requests) {
    if (signal.aborted) return;
    const answer = await api.importThings(pool, part, isWhole ? 'delete_when_free' : 'keep');
    for (const key of Object.keys(done) as (keyof Done)[]) done[key] += answer[key];
    steps += part.length + (isWhole ? removed.length : 0);
    progress(done, steps);
  }
  if (isWhole) return;
  const remove = async (index: number): Promise<void> => {
    const { deleted } = await api.deleteWhenFree(removed[index]!);
    if (deleted) done.deleted++;
    else done.draining++;
    progress(done, ++steps);
  };
  await abreast(removed.length, remove, signal);
}
