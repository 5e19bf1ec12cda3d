// Compares services by rate and processor time under the same load.

import type { Bench } from './bench.js';
import { load } from './http-load.js';
import type { Measured } from './measured.js';
import { withProcessorTime } from './processor-time.js';
import { inRounds, type Row } from './rounds.js';
import type { ServerProcess } from './server-process.js';
import { USER } from './service.js';

export interface Contender {
  readonly what: string;
  /** null for a service in this process */
  readonly server: ServerProcess | null;
  readonly ask: (at: number, seconds: number) => Promise<Measured>;
}

/**
 * A server that gets allocations over HTTP; `at` is the number of connections.
 * @param more what each request says beside its user
 */
export const overHttp = (
  what: string,
  server: ServerProcess,
  headers: Record<string, string> = {},
  more: object = {},
): Contender => {
  const target = { path: '/api/tokens/allocate', body: JSON.stringify({ user_id: USER, ...more }) };
  return {
    what,
    server,
    ask: (connections, seconds) => load({ ...target, urls: [server.url], headers }, connections, seconds),
  };
};

/**
 * Warms each contender up at the last of `ats`, then measures in many short rounds, since the speed of a machine
 * changes within seconds.
 */
export async function sideBySide(
  { isShort, rounds, cluster, say }: Bench,
  contenders: readonly Contender[],
  ats: readonly number[],
): Promise<Row[]> {
  for (const { what, ask } of contenders) {
    say(`warming up: ${what}`);
    await ask(ats.at(-1)!, isShort ? 0.4 : 3);
  }
  const cases = ats.flatMap((at) =>
    contenders.map(({ what, server, ask }) => ({
      what,
      at,
      measure: () => withProcessorTime(cluster, server, () => ask(at, isShort ? 0.5 : 1)),
    })),
  );
  return inRounds(isShort ? rounds : rounds * 4, cases, say);
}
