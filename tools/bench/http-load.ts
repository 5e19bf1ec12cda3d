// Load over HTTP from this process: each connection sends its next request after the answer to the last one.

import autocannon from 'autocannon';
import type { Measured } from './measured.js';
import { quantile } from '../harness/numbers.js';

export interface Target {
  /** One or several; the connections spread over them. */
  readonly urls: readonly string[];
  readonly path: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const TOO_BUSY = 503;

/** @throws Error when a request fails, or when an answer is neither a success nor 503 */
export async function load(
  { urls, path, body, headers }: Target,
  connections: number,
  seconds: number,
): Promise<Measured> {
  const latencies: number[] = [];
  const begun = performance.now();
  let last = begun;
  let refused = 0;
  const { errors, non2xx } = await new Promise<autocannon.Result>((resolve, reject) => {
    const options = {
      url: urls.map((url) => url + path),
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
      connections,
      duration: seconds,
      sampleInt: 50,
    };
    const run = autocannon(options as unknown as autocannon.Options, (error, result) =>
      error ? reject(error as Error) : resolve(result),
    );
    // autocannon's own histogram has only whole milliseconds.
    run.on('response', (_client, status, _bytes, milliseconds) => {
      if (status === TOO_BUSY) refused++;
      else latencies.push(milliseconds);
      last = performance.now();
    });
  });
  if (errors > 0 || non2xx > refused) {
    throw new Error(`${path}: ${errors} requests failed, ${non2xx} were not answered with 200`);
  }
  return {
    rate: latencies.length / ((last - begun) / 1000),
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    refused,
  };
}
