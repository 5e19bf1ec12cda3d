// Load without HTTP: callers in this process, each of which sends its next command after an answer.

import { DomainError } from '@app/tokens';
import type { Measured } from './measured.js';
import { quantile } from '../harness/numbers.js';

/** The start and the duration of a call, in milliseconds of performance.now(). */
export interface Call {
  readonly began: number;
  readonly took: number;
  /** Whether the answer was `unavailable`. */
  readonly isRefused: boolean;
}

export async function callUntil(
  isOver: () => boolean,
  callers: number,
  work: (caller: number) => Promise<unknown>,
): Promise<Call[]> {
  const calls: Call[] = [];
  const one = async (caller: number): Promise<void> => {
    for (let began = performance.now(); !isOver();) {
      const isRefused = await work(caller).then(() => false, orTooBusy);
      const now = performance.now();
      calls.push({ began, took: now - began, isRefused });
      began = now;
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, caller) => one(caller)));
  return calls;
}

export async function call(
  callers: number,
  seconds: number,
  work: (caller: number) => Promise<unknown>,
): Promise<Measured> {
  const begun = performance.now();
  const end = begun + seconds * 1000;
  const calls = await callUntil(() => performance.now() >= end, callers, work);
  const latencies = calls.filter(({ isRefused }) => !isRefused).map(({ took }) => took);
  return {
    rate: latencies.length / ((performance.now() - begun) / 1000),
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    refused: calls.length - latencies.length,
  };
}

function orTooBusy(error: unknown): true {
  if (error instanceof DomainError && error.code === 'unavailable') return true;
  throw error;
}
