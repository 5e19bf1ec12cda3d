// What the service tells OpenTelemetry. Off unless it is asked for; then nothing of it is even loaded.

import type { Observer, Transactions } from '@app/tokens';
import type { NextFunction, Request, Response } from 'express';
import type { Family } from '../metrics/family.js';

export interface Telemetry {
  /** Before all other handlers of requests. */
  readonly handlers: readonly ((req: Request, res: Response, next: NextFunction) => void)[];
  /** Whoever watches the command queue, and the traces beside him. */
  beside(observer: Observer): Observer;
  /** For what does not go through the queue. */
  traced(transactions: Transactions): Transactions;
  /** @param families all figures, as of now; without those of the database when it is gone already */
  measure(families: (withDatabase: boolean) => Promise<Family[]>): void;
  /** Sends what is left, and waits for that no longer than there is time. Never throws. */
  end(): Promise<void>;
}

/** Where it is injected. */
export const TELEMETRY = Symbol('TELEMETRY');

export const OFF: Telemetry = {
  handlers: [],
  beside: (observer) => observer,
  traced: (transactions) => transactions,
  measure: () => undefined,
  end: () => Promise.resolve(),
};
