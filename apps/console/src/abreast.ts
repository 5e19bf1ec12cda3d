// Many requests, some at once: with a progress that can be shown, and an end before all of them are sent.

/** Asked at once: more than a browser has connections for, and few enough that a stop is felt. */
const ABREAST = 20;

/**
 * Does `work` for 0 to `howMany` - 1. No more is begun after the first failure, nor once `signal` is aborted; what is
 * under way is waited for.
 * @throws the first failure
 */
export async function abreast(
  howMany: number,
  work: (index: number) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  let next = 0;
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    while (failures.length === 0 && signal?.aborted !== true && next < howMany) {
      await work(next++).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(ABREAST, howMany) }, worker));
  if (failures.length > 0) throw failures[0] as Error;
}
