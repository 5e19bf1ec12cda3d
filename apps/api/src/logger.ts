// Logs to stdout: one JSON object a line, or a readable form for people. The logger buffers lines for at most 100 ms,
// so that a request hardly pays for its line, and flushes them when the process exits.

import type { LoggerService } from '@nestjs/common';
import { destination, pino, type DestinationStream, type Logger } from 'pino';
import { DomainError } from '@app/tokens';
import type { Config } from './config.js';

export { type Logger } from 'pino';

/** The injection token. */
export const LOGGER = Symbol('LOGGER');

export type LogConfig = Pick<Config, 'logLevel' | 'logFormat'>;

export async function createLogger({ logLevel, logFormat }: LogConfig): Promise<Logger> {
  const stream = logFormat === 'pretty' ? await prettyStream() : undefined;
  return jsonLogger(logLevel, stream ?? bufferedStdout());
}

export const jsonLogger = (level: Config['logLevel'], stream: DestinationStream): Logger =>
  pino(
    { level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"`, formatters: { level: byName } },
    stream,
  );

const byName = (level: string): { level: string } => ({ level });

function bufferedStdout(): DestinationStream {
  const stdout = destination({ fd: 1, sync: false, minLength: 4096, periodicFlush: 100 });
  process.on('exit', () => stdout.flushSync());
  return stdout;
}

/** pino-pretty is a development dependency; without it the log stays JSON. */
async function prettyStream(): Promise<DestinationStream | undefined> {
  try {
    const { default: pretty } = await import('pino-pretty');
    return pretty({ sync: true, translateTime: 'HH:MM:ss.l', singleLine: true });
  } catch {
    return undefined;
  }
}

/**
 * The log fields of an error. A `DomainError` (the database is out of reach, for one) explains itself without a stack.
 */
export const logFields = (error: unknown): object =>
  error instanceof DomainError ? { reason: error.message } : { err: error };

/** Nest's own messages: those about its start at the level `debug`, warnings and errors at theirs. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, ...context: unknown[]): void {
    this.logger.debug({ context: context.at(-1) }, String(message));
  }

  debug(message: unknown, ...context: unknown[]): void {
    this.log(message, ...context);
  }

  verbose(message: unknown, ...context: unknown[]): void {
    this.log(message, ...context);
  }

  warn(message: unknown, ...context: unknown[]): void {
    this.logger.warn({ context: context.at(-1) }, String(message));
  }

  error(message: unknown, ...context: unknown[]): void {
    // These two rethrow the error, and its catcher logs it.
    if (context.at(-1) === 'ExceptionHandler' || context.at(-1) === 'NestApplication') this.log(message, ...context);
    else if (message instanceof Error) this.logger.error({ err: message }, message.message);
    else this.logger.error({ context: context.at(-1) }, String(message));
  }
}
