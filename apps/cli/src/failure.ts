// Prints a failure, and chooses its exit code.

import { TokenPoolConnectionError, TokenPoolError, WaitEndedError } from '../../../libs/client/src/index.js';
import { CommandError } from './command-error.js';
import { EXIT } from './exit-code.js';
import { UsageError } from './usage-error.js';

/**
 * Prints a line for people, or the problem document for programs, on stderr. Returns the exit code.
 * @throws `error` itself if it is a bug
 */
export function printFailure(error: unknown, isJson: boolean): number {
  const { code, message, problem } = known(error);
  console.error(isJson ? JSON.stringify(problem) : `tokenpool: ${message}`);
  return code;
}

function known(error: unknown): { code: number; message: string; problem: object } {
  if (error instanceof TokenPoolError) return { code: EXIT.refused, message: error.message, problem: error.problem };
  const { message } = error as Error;
  if (error instanceof TokenPoolConnectionError) {
    return { code: EXIT.noAnswer, message, problem: { error: 'no_answer', detail: message } };
  }
  if (error instanceof WaitEndedError) {
    const fields = { end_reason: error.endReason, ticket_id: error.ticket.id };
    return { code: EXIT.waitEnded, message, problem: { error: 'wait_ended', detail: message, ...fields } };
  }
  if (error instanceof UsageError) return { code: EXIT.usage, message, problem: { error: 'usage', detail: message } };
  if (error instanceof CommandError) {
    return { code: error.exitCode, message, problem: { error: error.code, detail: message, ...error.fields } };
  }
  throw error;
}
