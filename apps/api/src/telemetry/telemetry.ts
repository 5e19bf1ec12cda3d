// The hooks for OpenTelemetry. By default they do nothing, and the process does not load the SDK.

import type { Observer } from '@app/tokens';
import type { NextFunction, Request, Response } from 'express';
import type { Family } from '../metrics/family.js';

export interface Telemetry {
  /** Middleware that runs before all other request handlers. */
  readonly handlers: readonly ((req: Request, res: Response, next: NextFunction) => void)[];
  /** The observers that trace transactions. */
  readonly observers: readonly Observer[];
  /** @param families collects all current metrics; without those of the database once it is closed */
  measure(families: (withDatabase: boolean) => Promise<Family[]>): void;
  /** Sends what is left, within 1.5 s. Never throws. */
  end(): Promise<void>;
}

/** The injection token. */
export const TELEMETRY = Symbol('TELEMETRY');

export const OFF: Telemetry = {
  handlers: [],
  observers: [],
  measure: () => undefined,
  end: () => Promise.resolve(),
};
