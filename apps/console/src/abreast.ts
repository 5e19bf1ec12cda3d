// Runs many requests with bounded concurrency, with progress, and with a way to stop before all are sent.

/** Concurrent requests: more than a browser has connections for, and few enough that a stop takes effect soon. */
const ABREAST = 20;

/**
 * Does `work` for 0 to `howMany` - 1. After the first failure, or once `signal` aborts, it begins no more, and waits
 * for the work that is under way.
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
