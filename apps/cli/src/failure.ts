// A failure in words, and as an exit code.

import { TokenPoolConnectionError, TokenPoolError } from '../../../libs/client/src/index.js';
import { EXIT } from './exit-code.js';
import { UsageError } from './usage-error.js';

/** On stderr: a line for people, the problem document for programs. Answers the exit code. @throws what is no failure but a mistake */
export function tell(error: unknown, isJson: boolean): number {
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
  if (error instanceof UsageError) return { code: EXIT.usage, message, problem: { error: 'usage', detail: message } };
  throw error;
}
